//! Values that stand in a file as their own words.

/// Has serde read a type by its `FromStr` and write it by its `Display`; the type carries
/// `#[serde(try_from = "String", into = "String")]`.
macro_rules! as_written {
    ($($name:ty),+) => {$(
        impl TryFrom<String> for $name {
            type Error = <$name as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )+};
}
pub(super) use as_written;
