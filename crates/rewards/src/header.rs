//! Header rows of tables that need none: known by the names that such tables give their columns.

/// Names of a column of users, as [`names`] reads them.
pub(crate) const USER: &[&str] = &[
    "user",
    "users",
    "userid",
    "uid",
    "username",
    "reviewer",
    "reviewerid",
    "customer",
    "customerid",
    "member",
    "memberid",
    "viewer",
    "viewerid",
    "person",
    "personid",
    "account",
    "accountid",
    "session",
    "sessionid",
    "userno",
    "useridx",
    "userindex",
];

/// Names of a column of items.
pub(crate) const ITEM: &[&str] = &[
    "item",
    "items",
    "itemid",
    "iid",
    "itemno",
    "itemidx",
    "itemindex",
    "itemname",
    "itemtitle",
    "title",
    "name",
    "movie",
    "movies",
    "movieid",
    "movietitle",
    "moviename",
    "film",
    "filmid",
    "filmtitle",
    "product",
    "productid",
    "asin",
    "parentasin",
    "book",
    "bookid",
    "booktitle",
    "isbn",
    "song",
    "songid",
    "track",
    "trackid",
    "artist",
    "artistid",
    "business",
    "businessid",
    "game",
    "gameid",
    "appid",
    "tconst",
    "imdbid",
    "mid",
    "news",
    "newsid",
    "article",
    "articleid",
    "head",
    "headid",
    "subject",
    "source",
    "node",
    "id",
    "key",
];

/// Names of a column of relations.
pub(crate) const RELATION: &[&str] = &[
    "relation",
    "relationid",
    "relationship",
    "rel",
    "predicate",
    "property",
    "type",
    "kind",
    "edge",
    "field",
    "attributename",
    "attributetype",
    "label",
];

/// Names of a column of attributes.
pub(crate) const ATTRIBUTE: &[&str] = &[
    "attribute",
    "attributes",
    "attributevalue",
    "attributeid",
    "value",
    "values",
    "tail",
    "tailid",
    "object",
    "target",
    "entity",
    "entityid",
    "feature",
    "tag",
    "tags",
    "genre",
    "genres",
    "category",
    "categories",
    "keyword",
    "keywords",
];

/// Whether a field of a first line is a column's name of that kind: `userId`, `user_id:token`, `"User ID"`, `#user`.
pub(crate) fn names(field: &str, kind: &[&str]) -> bool {
    let name = field.split(':').next().unwrap_or(field);
    let letters: String = name
        .chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-' | '.' | '"' | '\'' | '#' | '\r'))
        .flat_map(char::to_lowercase)
        .collect();
    kind.contains(&letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_spelling() {
        for field in [
            "user",
            "userId",
            "User ID",
            "user_id:token",
            "#user-id",
            "\"UserID\"",
        ] {
            assert!(names(field, USER), "{field}");
        }
        for field in ["u1", "ann", "user 7", "", "196"] {
            assert!(!names(field, USER) && !names(field, ITEM), "{field}");
        }
    }
}
