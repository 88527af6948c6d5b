//! Compares quantities of CPU and memory in the form of Kubernetes (`500m`, `2`, `1.5Gi`). Pure.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Digits after the decimal point: the smallest suffix of Kubernetes is `n`.
const SCALE: u32 = 9;

/// The amount in billionths; none if the text is not an amount, is negative or is too large to compare.
#[must_use]
pub fn nanos(quantity: &Quantity) -> Option<u128> {
    let text = quantity.0.trim_start_matches('+');
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() || part.contains('.') {
        return None;
    }
    let all: u128 = format!("{whole}{part}").parse().ok()?;
    let behind = u32::try_from(part.len()).ok()?;
    let scaled = |power: i32, factor: u128| {
        let power = power + i32::try_from(SCALE).ok()? - i32::try_from(behind).ok()?;
        let tens = 10_u128.checked_pow(power.unsigned_abs())?;
        let all = all.checked_mul(factor)?;
        if power < 0 { Some(all.div_ceil(tens)) } else { all.checked_mul(tens) }
    };
    let decimal = |power| scaled(power, 1);
    let binary = |power| scaled(0, 1024_u128.checked_pow(power)?);
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            decimal(power.clamp(-30, 30))
        }
    }
}

/// Whether `one` is more than `other`; false if either is not an amount.
#[must_use]
pub fn exceeds(one: &Quantity, other: &Quantity) -> bool {
    nanos(one).zip(nanos(other)).is_some_and(|(one, other)| one > other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Option<u128> {
        nanos(&Quantity(text.to_owned()))
    }

    #[test]
    fn the_same_amount_in_different_notations_is_equal() {
        for same in [
            &["1", "1000m", "1.0", "1e0", "+1", "1000000u"][..],
            &["1Gi", "1024Mi", "1073741824", "1.0Gi"],
            &["1.5G", "1500M", "15e8", "1500000k"],
            &["0.1", "100m", ".1"],
        ] {
            let nanos: Vec<_> = same.iter().map(|text| amount(text)).collect();
            assert!(nanos[0].is_some() && nanos.iter().all(|other| *other == nanos[0]), "{same:?} {nanos:?}");
        }
    }

    #[test]
    fn invalid_amounts_are_rejected() {
        for text in
            ["", "-1", "Gi", "1gb", "1.2.3", "1 Gi", "e3", "1ee3", "99999999999999999999999999999999999E"]
        {
            assert_eq!(amount(text), None, "{text}");
        }
    }

    #[test]
    fn a_gibibyte_is_more_than_a_gigabyte() {
        let exceeds =
            |one: &str, other: &str| exceeds(&Quantity(one.to_owned()), &Quantity(other.to_owned()));
        assert!(
            exceeds("1Gi", "1G") && !exceeds("1G", "1Gi") && !exceeds("2", "2000m") && exceeds("2001m", "2")
        );
    }
}
