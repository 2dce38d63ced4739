//! `tacit-coordinator fit` through its command: reference vectors, published data, and what it refuses.
//!
//! The vectors are not part of this repository: `TACIT_VECTORS` names their folder (default
//! `<workspace root>/../shared/vectors`). Where it is absent, a test says so and passes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and says when it had nothing to do"
)]
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Map, Value};
use tacit_coordinator::command::fit::{FitArgs, run};
use tacit_shared::fault::Fault;

fn vectors(name: &str) -> Option<Value> {
    let folder = std::env::var_os("TACIT_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let path = folder.join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("{}: absent, nothing compared", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// Runs the command on a table and a specification.
fn fitted(rows: &str, spec: &str, json: bool) -> Result<String, Fault> {
    let folder = tempfile::tempdir().unwrap();
    let (table, model) = (folder.path().join("rows.csv"), folder.path().join("model.toml"));
    std::fs::write(&table, rows).unwrap();
    std::fs::write(&model, spec).unwrap();
    run(&FitArgs { rows: table, spec: model, json })
}

fn json(rows: &str, spec: &str) -> Value {
    serde_json::from_str(&fitted(rows, spec, true).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|entry| entry.as_f64().unwrap()).collect()
}

fn field(result: &Value, name: &str) -> Vec<f64> {
    let rows = result["coefficients"].as_array().unwrap();
    rows.iter().map(|row| row[name].as_f64().unwrap()).collect()
}

/// A table from columns of numbers.
fn csv(columns: &[(String, Vec<f64>)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut text = names.join(",") + "\n";
    for row in 0..columns[0].1.len() {
        let cells: Vec<String> =
            columns.iter().map(|(_, values)| values[row].to_string()).collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

fn near(what: &str, found: &[f64], expected: &[f64], tolerance: f64) -> f64 {
    assert_eq!(found.len(), expected.len(), "{what}");
    let gaps = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    let largest = gaps.fold(0.0, f64::max);
    assert!(largest <= tolerance, "{what}: found {found:?}, expected {expected:?}");
    largest
}

/// The columns of a case and the covariates' names, the first column of X being the constant.
fn table(case: &Value) -> (Vec<(String, Vec<f64>)>, String) {
    let rows: Vec<Vec<f64>> = case["X"].as_array().unwrap().iter().map(numbers).collect();
    let mut columns = vec![("y".to_owned(), numbers(&case["y"]))];
    let mut names = Vec::new();
    for at in 1..rows[0].len() {
        columns.push((format!("x{at}"), rows.iter().map(|row| row[at]).collect()));
        names.push(format!("\"x{at}\""));
    }
    (columns, names.join(", "))
}

fn term(kind: &str, params: &Map<String, Value>) -> String {
    let kinds = [
        ("weighted_average", "weighted-average"),
        ("average", "average"),
        ("net_compensation", "net-compensation"),
        ("covariance", "covariance"),
        ("mean_residual_difference", "mean-residual-difference"),
    ];
    let Some((_, name)) = kinds.iter().find(|(prefix, _)| kind.starts_with(prefix)) else {
        assert!(kind.starts_with("ols"), "an estimator that is not known: {kind}");
        return String::new();
    };
    let mut text = format!("[fairness]\nkind = \"{name}\"\n");
    for (key, value) in params {
        let line = match key.as_str() {
            "group" => format!("groups = [{value}]"),
            "lam" => format!("lambda = {value}"),
            _ => format!("{key} = {value}"),
        };
        writeln!(text, "{line}").unwrap();
    }
    text
}

#[test]
fn every_fair_fit_of_the_vectors_is_met_by_the_command() {
    let Some(file) = vectors("fair-regression.json") else { return };
    let tolerance = file["tolerance"].as_f64().unwrap();
    let (mut largest, mut compared) = (0.0_f64, 0);
    for case in file["cases"].as_array().unwrap() {
        let (mut columns, covariates) = table(case);
        columns.push(("w".to_owned(), numbers(&case["w"])));
        let groups = case["groups"].as_object().unwrap();
        columns.extend(groups.iter().map(|(name, flags)| (name.clone(), numbers(flags))));
        let rows = csv(&columns);
        let names: Vec<String> = groups.keys().map(|name| format!("\"{name}\"")).collect();
        let head = format!(
            "outcome = \"y\"\ncovariates = [{covariates}]\nweights = \"w\"\ngroups = [{}]\n",
            names.join(", ")
        );
        for (kind, expected) in case["results"].as_object().unwrap() {
            let spec = head.clone() + &term(kind, expected["params"].as_object().unwrap());
            let result = json(&rows, &spec);
            let mut see = |what: &str, found: &[f64], expected: &[f64]| {
                largest = largest.max(near(&format!("{kind}: {what}"), found, expected, tolerance));
                compared += found.len();
            };
            see("coefficients", &field(&result, "estimate"), &numbers(&expected["coef"]));
            for (group, metrics) in expected["metrics"].as_object().unwrap() {
                let own = &result["metrics"][group];
                assert_eq!(own.as_object().unwrap().len(), metrics.as_object().unwrap().len());
                for (name, value) in metrics.as_object().unwrap() {
                    see(name, &[own[name].as_f64().unwrap()], &[value.as_f64().unwrap()]);
                }
            }
            if let Some(errors) = expected.get("bse_model") {
                see("errors", &field(&result, "standard_error"), &numbers(errors));
                let found = result["sigma2"].as_f64().unwrap();
                see("scale", &[found], &[expected["scale"].as_f64().unwrap()]);
            }
        }
    }
    println!("fair-regression.json: {compared} numbers, largest gap {largest:e}");
    assert!(compared >= 776);
}

#[test]
fn the_dial_of_the_command_is_the_average_at_one() {
    let Some(file) = vectors("fair-regression.json") else { return };
    let case = &file["cases"][0];
    let (mut columns, covariates) = table(case);
    let groups = case["groups"].as_object().unwrap();
    columns.extend(groups.iter().map(|(name, flags)| (name.clone(), numbers(flags))));
    let dial = |groups: &str, phi: f64| {
        format!(
            "outcome = \"y\"\ncovariates = [{covariates}]\n[fairness]\nkind = \"dial\"\ngroups = [{groups}]\nphi = {phi}\n"
        )
    };
    for (groups, phi, same) in [
        ("\"g1\"", 1.0, "average_neutral"),
        ("\"g1\"", 0.0, "ols_wls"),
        ("\"g1\"", 0.4, "weighted_average_0.6_neutral"),
        ("\"g1\", \"g2\"", 1.0, "average_two_groups_neutral"),
    ] {
        let result = json(&csv(&columns), &dial(groups, phi));
        let expected = numbers(&case["results"][same]["coef"]);
        near(same, &field(&result, "estimate"), &expected, 1e-9);
    }
}

#[test]
fn the_random_intercept_of_the_vectors_is_met_by_the_command() {
    let Some(file) = vectors("sites.json") else { return };
    let tolerance = file["tolerance"].as_f64().unwrap();
    for case in file["cases"].as_array().unwrap() {
        let (mut columns, covariates) = table(case);
        columns.push(("site".to_owned(), numbers(&case["site"])));
        let spec = format!("outcome = \"y\"\ncovariates = [{covariates}]\nsite = \"site\"\n");
        let result = json(&csv(&columns), &spec);
        let mut gaps = vec![
            near("beta", &field(&result, "estimate"), &numbers(&case["beta"]), tolerance),
            near("blup", &numbers(&result["blup"]), &numbers(&case["blup"]), tolerance),
        ];
        for name in ["sigma2", "tau2"] {
            let (found, expected) = (result[name].as_f64().unwrap(), case[name].as_f64().unwrap());
            gaps.push(near(name, &[found], &[expected], tolerance));
        }
        let rows = |value: &Value| -> Vec<f64> {
            value.as_array().unwrap().iter().flat_map(numbers).collect()
        };
        gaps.push(near("cov", &rows(&result["cov_beta"]), &rows(&case["cov_beta"]), tolerance));
        println!("sites.json: gaps {gaps:?}");
    }
}

/// Longley 1967, as the National Institute of Standards and Technology certifies it: columns so alike
/// that a careless fit keeps three digits.
const LONGLEY: &str = "y,deflator,gnp,unemployed,armed,population,year
60323,83.0,234289,2356,1590,107608,1947
61122,88.5,259426,2325,1456,108632,1948
60171,88.2,258054,3682,1616,109773,1949
61187,89.5,284599,3351,1650,110929,1950
63221,96.2,328975,2099,3099,112075,1951
63639,98.1,346999,1932,3594,113270,1952
64989,99.0,365385,1870,3547,115094,1953
63761,100.0,363112,3578,3350,116219,1954
66019,101.2,397469,2904,3048,117388,1955
67857,104.6,419180,2822,2857,118734,1956
68169,108.4,442769,2936,2798,120445,1957
66513,110.8,444546,4681,2637,121950,1958
68655,112.6,482704,3813,2552,123366,1959
69564,114.2,502601,3931,2514,125368,1960
69331,115.7,518173,4806,2572,127852,1961
70551,116.9,554894,4007,2827,130081,1962
";

#[test]
fn matches_the_certified_values_of_longley() {
    let spec = "outcome = \"y\"\ncovariates = [\"deflator\", \"gnp\", \"unemployed\", \"armed\", \"population\", \"year\"]";
    let result = json(LONGLEY, spec);
    let relative = |found: Vec<f64>, expected: &[f64]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-9, "{found}, certified {expected}");
        }
        assert_eq!(found.len(), expected.len());
    };
    relative(
        field(&result, "estimate"),
        &[
            -3_482_258.634_595_82,
            15.061_872_271_373_3,
            -0.358_191_792_925_910e-1,
            -2.020_229_803_816_83,
            -1.033_226_867_173_59,
            -0.511_041_056_535_807e-1,
            1_829.151_464_613_55,
        ],
    );
    relative(
        field(&result, "standard_error"),
        &[
            890_420.383_607_373,
            84.914_925_774_766_9,
            0.334_910_077_722_432e-1,
            0.488_399_681_651_699,
            0.214_274_163_161_675,
            0.226_073_200_069_370,
            455.478_499_142_212,
        ],
    );
    let sigma = result["sigma2"].as_f64().unwrap().sqrt();
    relative(
        vec![sigma, result["r2"].as_f64().unwrap()],
        &[304.854_073_561_965, 0.995_479_004_577_296],
    );
    assert_eq!(result["degrees_of_freedom"], 9.0);
}

#[test]
fn matches_the_poisson_fit_of_dobson() {
    // Dobson 1990, p. 93, the example of R's glm; two factors of three levels.
    let counts = [18, 17, 15, 20, 10, 20, 25, 13, 12];
    let mut rows = "counts,o2,o3,t2,t3\n".to_owned();
    for (at, count) in counts.iter().enumerate() {
        let flag = |level: usize, of: usize| u8::from(of == level);
        let (o, t) = (at % 3, at / 3);
        writeln!(rows, "{count},{},{},{},{}", flag(1, o), flag(2, o), flag(1, t), flag(2, t))
            .unwrap();
    }
    let spec = "outcome = \"counts\"\ncovariates = [\"o2\", \"o3\", \"t2\", \"t3\"]\nfamily = \"poisson\"\ngroups = [\"o2\"]";
    let result = json(&rows, spec);
    let expected =
        [3.044_522_437_723_423, -0.454_255_272_277_594_5, -0.292_987_124_681_473_5, 0.0, 0.0];
    near("estimate", &field(&result, "estimate"), &expected, 1e-9);
    let errors = [0.170_898_7, 0.202_170_8, 0.192_742_3, 0.2, 0.2];
    near("errors", &field(&result, "standard_error"), &errors, 1e-6);
    let deviances =
        [result["deviance"].as_f64().unwrap(), result["null_deviance"].as_f64().unwrap()];
    near("deviance", &deviances, &[5.129_141_077, 10.581_445_86], 1e-7);
    // The flag is a column and the link canonical, so its mean residual is nothing.
    let gap = result["metrics"]["o2"]["mean_residual_difference"].as_f64().unwrap();
    assert!(gap.abs() < 1e-9);
}

/// Outcome, family, coefficients, standard errors and deviance.
type Reference = (&'static str, &'static str, [f64; 3], [f64; 3], f64);
const GLMS: [Reference; 2] = [
    (
        "hit",
        "logistic",
        [0.259_961_435_120_324_1, 0.204_392_645_935_226_3, -0.159_313_528_142_460_5],
        [0.653_582_397_628_661_7, 0.439_294_499_726_686, 0.684_164_685_956_003_2],
        41.222_014_832_579_33,
    ),
    (
        "amount",
        "gamma",
        [2.553_326_799_027_93, 0.301_444_041_888_454_65, 0.052_563_404_095_641_16],
        [0.150_089_738_518_935_5, 0.100_769_055_773_193_28, 0.157_546_603_447_550_95],
        7.821_861_740_791_85,
    ),
];

#[test]
fn matches_other_software_for_shares_and_amounts() {
    // Reference: statsmodels 0.15, GLM with families Binomial and Gamma (log link), tolerance 1e-14.
    let mut rows = "x,z,hit,amount\n".to_owned();
    for k in 0..30_u32 {
        let (x, z) = (f64::from(k * 7 % 30) / 10.0 - 1.45, f64::from(k * k % 11) / 5.0);
        let hit = u8::from((k * 13 + k * k) % 5 < 2 + k % 3);
        let amount = 1.0 + f64::from(k * k * k % 19) + 3.0 * (x + 1.5);
        writeln!(rows, "{x:.2},{z},{hit},{amount:.4}").unwrap();
    }
    let spec = |outcome: &str, family: &str| {
        format!("outcome = \"{outcome}\"\ncovariates = [\"x\", \"z\"]\nfamily = \"{family}\"")
    };
    for (outcome, family, estimate, errors, deviance) in GLMS {
        let result = json(&rows, &spec(outcome, family));
        near(family, &field(&result, "estimate"), &estimate, 1e-10);
        near(family, &field(&result, "standard_error"), &errors, 1e-7);
        near(family, &[result["deviance"].as_f64().unwrap()], &[deviance], 1e-9);
    }
}

#[test]
fn the_documented_example_prints_what_the_page_shows() {
    let page = include_str!("../../docs/model-spec.md");
    let block = |opening: &str, after: &str| {
        let from = &page[page.find(after).unwrap()..];
        let (_, rest) = from.split_once(&format!("{opening}\n")).unwrap();
        rest.split_once("\n```").unwrap().0.to_owned()
    };
    let example = "## A worked example";
    let (rows, spec) = (block("```csv", example), block("```toml", example));
    assert_eq!(fitted(&rows, &spec, false).unwrap(), block("```text", example));
}

#[test]
fn every_key_and_kind_is_documented() {
    let page = include_str!("../../docs/model-spec.md");
    let keys = "outcome covariates weights groups site family kind neutral phi alpha m lambda";
    let kinds =
        "dial average weighted-average covariance net-compensation mean-residual-difference";
    for word in keys.split(' ').chain(kinds.split(' ')) {
        assert!(page.contains(&format!("| `{word}` |")), "{word}");
    }
    let result = json(
        "y,x,g,s\n1,2,0,a\n3,1,1,b\n2,5,0,a\n6,4,1,b\n4,4,1,a\n",
        "outcome = \"y\"\ncovariates = [\"x\"]\nsite = \"s\"\ngroups = [\"g\"]",
    );
    let nested = [&result, &result["coefficients"][0], &result["metrics"]["g"]];
    for field in nested.iter().flat_map(|part| part.as_object().unwrap().keys()) {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
}

const GOOD: &str = "outcome = \"y\"\ncovariates = [\"a\", \"b\"]\n";

fn refused(rows: &str, spec: &str) -> String {
    // The folder of a test has no name worth comparing.
    let text = fitted(rows, spec, false).unwrap_err().to_string();
    let short = |line: &str| match line.split_once("at:   ") {
        Some((_, place)) => format!("  at:   {}", place.rsplit('/').next().unwrap()),
        None => line.to_owned(),
    };
    text.lines().map(short).collect::<Vec<_>>().join("\n")
}

#[test]
fn bad_rows_are_refused_with_line_and_column() {
    let rows = |line: &str| format!("y,a,b\n1,2,3\n2,4,1\n{line}\n4,1,1\n5,3,2\n");
    let number =
        "numbers are written with a decimal point and without separators, as in 1234.5 or 1e-3";
    let missing = "leave out rows that are not complete, or fill them, before the fit; both are choices to report";
    for (line, message, place, hint) in [
        ("3,,1", "the value of `a` is missing", "rows.csv:4, column `a`", Some(missing)),
        ("NA,1,1", "the value of `y` is missing", "rows.csv:4, column `y`", Some(missing)),
        (
            "3,\"1,5\",1",
            "found text of 3 characters in `a`; expected a number",
            "rows.csv:4, column `a`",
            Some(number),
        ),
        (
            "3,1e200,1",
            "found a number beyond 1e100 in `a`; expected a number",
            "rows.csv:4, column `a`",
            Some("numbers are finite, in decimal notation"),
        ),
        (
            "3,1",
            "found 2 fields; the header has 3",
            "rows.csv:4",
            Some("a field that holds a comma stands in quotation marks"),
        ),
        (
            "3,\"1,2",
            "a quotation mark is not closed on its line, or stands inside a field",
            "rows.csv:4",
            None,
        ),
    ] {
        let hint = hint.map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
        assert_eq!(refused(&rows(line), GOOD), format!("{message}\n  at:   {place}{hint}"));
    }
    // Blank lines count, as in an editor.
    let text = refused(&rows("\n\nx,1,1"), GOOD);
    assert!(text.contains("rows.csv:6, column `y`"), "{text}");
    let text = refused(&rows("-1,1,1"), &(GOOD.to_owned() + "family = \"poisson\""));
    assert!(
        text.starts_with("found another number in `y`; expected a number of at least 0"),
        "{text}"
    );
}

#[test]
fn columns_that_determine_nothing_are_refused_by_name() {
    let table = "y,a,b,g\n1,2,4,0\n2,4,8,1\n3,5,10,0\n4,1,2,1\n5,3,6,0\n";
    let with = |more: &str| GOOD.to_owned() + more;
    for (rows, spec, message) in [
        (table, GOOD.to_owned(), "`b` is a linear combination of `a`"),
        (table, GOOD.replace("\"b\"", "\"z\""), "there is no column `z`, which `covariates` names"),
        (table, with("groups = [\"b\"]"), "found another number in `b`; expected 0 or 1"),
        (table, with("weights = \"g\""), "found another number in `g`; expected a weight above 0"),
        (
            "y,a,b\n1,2,4\n2,4,4\n3,1,4\n4,4,4\n",
            GOOD.to_owned(),
            "the column `b` has the same value in every row",
        ),
        (
            "y,a,b\n1e-300,2,4\n2e-300,4,4\n3e-300,1,3\n1e-300,4,1\n",
            GOOD.to_owned(),
            "the values of `y` differ by too little or too much to square",
        ),
        (
            "y,a,b\n1,2,4\n1,4,4\n1,1,3\n1,4,1\n",
            GOOD.to_owned(),
            "the column `y` has the same value in every row",
        ),
        ("y,a,b\n1,2,4\n2,3,3\n", GOOD.to_owned(), "3 coefficients need more than 3 rows"),
        ("y,a,b\n", GOOD.to_owned(), "the table has a header and no rows"),
        ("", GOOD.to_owned(), "the file is empty; expected a header with the names of the columns"),
        ("y,a,b,a\n", GOOD.to_owned(), "the header names the column `a` twice"),
        ("y;a;b\n", GOOD.to_owned(), "there is no column `y`, which `outcome` names"),
        (
            "y,a,b,g\n1,2,4,1\n2,3,1,1\n3,9,2,1\n2,1,1,1\n",
            with("groups = [\"g\"]"),
            "the group `g` cannot be compared: every row is in it",
        ),
        (
            "y,a,b,g\n1,2,4,s\n2,3,1,s\n3,9,2,s\n2,1,1,s\n",
            with("site = \"g\""),
            "a variance between sites needs at least 2 sites, not 1",
        ),
        (
            "y,a,b\n0,1,4\n0,2,1\n1,3,2\n1,4,1\n0,0,3\n1,5,2\n",
            with("family = \"logistic\""),
            "no maximum of the likelihood",
        ),
    ] {
        let found = refused(rows, &spec);
        assert!(found.starts_with(message), "{found}");
    }
    // The dial cannot close a gap that no covariate sees, nor two that are one.
    let rows = "y,a,g,h\n1,1,0,1\n2,1,1,0\n3,2,0,1\n4,2,1,0\n5,3,0,1\n9,3,1,0\n";
    let spec = "outcome = \"y\"\ncovariates = [\"a\"]\n[fairness]\nkind = \"dial\"\nphi = 1.0\ngroups = [\"g\"]";
    let found = refused(rows, spec);
    assert!(found.starts_with("the covariates do not tell the group `g` from the rest"), "{found}");
    let rows = rows.replace("3,2,0,1", "3,7,0,1");
    let found = refused(&rows, &spec.replace("[\"g\"]", "[\"g\", \"h\"]"));
    assert!(found.starts_with("the fit has no unique solution"), "{found}");
}

#[test]
fn specifications_are_read_strictly() {
    let table = "y,a,b\n1,2,4\n2,3,1\n";
    let fair = |term: &str| format!("{GOOD}groups = [\"g\", \"h\"]\n[fairness]\n{term}");
    for (spec, message, place) in [
        (GOOD.to_owned() + "wieghts = \"w\"", "unknown field `wieghts`", "model.toml:3:1"),
        (GOOD.replace("\"y\"", "1"), "invalid type: integer `1`", "model.toml:1:11"),
        (GOOD.to_owned() + "family = \"cox\"", "unknown variant `cox`", "model.toml:3:10"),
        ("covariates = []".to_owned(), "missing field `outcome`", "model.toml"),
        (
            GOOD.to_owned() + "site = \"a\"",
            "the column `a` is named twice",
            "model.toml: covariates",
        ),
        (
            GOOD.to_owned() + "family = \"gamma\"\nsite = \"s\"",
            "`site` needs the family gaussian; found gamma",
            "model.toml: site",
        ),
        (fair("kind = \"dial\"\ngroups = [\"g\"]"), "dial needs `phi`", "model.toml: fairness.phi"),
        (
            fair("kind = \"dial\"\ngroups = [\"g\"]\nphi = 1.5"),
            "found 1.5; expected 0 to 1",
            "model.toml: fairness.phi",
        ),
        (
            fair("kind = \"covariance\"\ngroups = [\"g\", \"h\"]\nm = 0.5"),
            "found 2 groups; covariance takes one",
            "model.toml: fairness.groups",
        ),
        (
            fair("kind = \"average\"\ngroups = [\"g\"]\nphi = 0.5"),
            "found `phi`, which average does not have",
            "model.toml: fairness.phi",
        ),
        (
            fair("kind = \"average\"\ngroups = []"),
            "found no group; expected at least one",
            "model.toml: fairness.groups",
        ),
    ] {
        let found = refused(table, &spec);
        assert!(found.starts_with(message), "{found}");
        assert!(found.contains(&format!("\n  at:   {place}")), "{found}");
        assert!(found.ends_with("hint: docs/model-spec.md explains every key"), "{found}");
    }
}
