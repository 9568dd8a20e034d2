//! The identity of a query.

crate::text_id! {
    /// A query's stable name: unique in the data set and the same in every run.
    ///
    /// Ids of up to 24 bytes are held inline, so batches are cheap to hand out. An id stands for its text in comparisons and in
    /// maps: a map with ids as keys is asked with a `&str`, and `&id` goes where a `&str` is wanted.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use rerec_text::QueryId;
    ///
    /// let id = QueryId::from("movie-17");
    /// assert_eq!(id, "movie-17");
    /// let steps = HashMap::from([(id, 3)]);
    /// assert_eq!(steps["movie-17"], 3);
    /// assert!(steps.keys().all(|id| id.starts_with("movie")));
    /// ```
    pub struct QueryId;
}
