//! Settings that are a word or a table.

/// Lets a tagged enum of a configuration be written as a bare word, which stands for the variant with its default settings,
/// or as the table that its derived serde form reads.
///
/// The enum derives serde with `#[serde(remote = "Self")]`; the macro adds the traits. It takes the setting's name and the
/// allowed words for messages, and a function from a word to a variant.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// #[serde(remote = "Self", tag = "kind", rename_all = "snake_case")]
/// enum Decay {
///     Linear {},
///     Power { rate: f64 },
/// }
///
/// rerec_text::word_or_table!(Decay, "decay", r#""linear" or a table such as { kind = "power", rate = 2.0 }"#, |word| {
///     (word == "linear").then_some(Decay::Linear {})
/// });
///
/// assert_eq!(serde_json::from_str::<Decay>(r#""linear""#)?, Decay::Linear {});
/// assert_eq!(serde_json::from_str::<Decay>(r#"{"kind": "power", "rate": 2.0}"#)?, Decay::Power { rate: 2.0 });
/// let error = serde_json::from_str::<Decay>(r#""cubic""#).unwrap_err();
/// assert!(error.to_string().starts_with("decay must be \"linear\" or a table"), "{error}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[macro_export]
macro_rules! word_or_table {
    ($type:ty, $setting:literal, $allowed:literal, $from_word:expr) => {
        impl $crate::serde::Serialize for $type {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                // The inherent function that `remote` derives, not this one.
                <$type>::serialize(self, serializer)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                struct WordOrTable;

                impl<'de> $crate::serde::de::Visitor<'de> for WordOrTable {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("for ", $setting, ": ", $allowed))
                    }

                    fn visit_str<E: $crate::serde::de::Error>(
                        self,
                        word: &str,
                    ) -> Result<$type, E> {
                        let from_word: fn(&str) -> Option<$type> = $from_word;
                        from_word(word).ok_or_else(|| {
                            let expected = concat!($setting, " must be ", $allowed);
                            E::custom(format_args!("{expected}, got {word:?}"))
                        })
                    }

                    fn visit_map<A: $crate::serde::de::MapAccess<'de>>(
                        self,
                        table: A,
                    ) -> Result<$type, A::Error> {
                        <$type>::deserialize($crate::serde::de::value::MapAccessDeserializer::new(
                            table,
                        ))
                    }
                }

                deserializer.deserialize_any(WordOrTable)
            }
        }
    };
}
