//! How accurate releases are, through the real path; the goals at full size are the bench `accuracy`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use tacit_model::moments::Moments;
use tacit_tests::oracle;
use tacit_tests::trial::Setting;

const SMALL: Setting = Setting {
    clinicians: 3_000,
    columns: 8,
    sites: 5,
    epsilon: 2.0,
    products_only: false,
    between: 0.0,
};

#[tokio::test]
async fn a_later_periods_sum_equals_the_oracle_to_the_integer() {
    let first = SMALL.first().unwrap();
    let table = SMALL.table(&first, 1).unwrap();
    let exact = first.exact(&table).await.unwrap();
    let opened = first.noised(&exact, 2, 1).unwrap();
    let later = first.next(&SMALL, &[(&first, &opened)]).unwrap();
    assert_eq!(later.plan.layout().directions().len(), 1);
    let exact = later.exact(&table).await.unwrap();
    assert_eq!(exact, oracle::sum(&later.study, 5, &table.rows()));
    let moments = Moments::of(&later.plan, &later.signed(exact).unwrap()).unwrap();
    let inputs = oracle::inputs(&later.study, 5, &table.rows()).unwrap();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 0.02, "{a} {b}");
    for (read, exact) in [
        (moments.inputs().all(), inputs.all()),
        (moments.inputs().group(0).unwrap(), inputs.group(0).unwrap()),
        (&moments.inputs().sites()[1], &inputs.sites()[1]),
    ] {
        let (read, exact) = (&read.later, &exact.later);
        near(read.predicted.unwrap().sum, exact.predicted.unwrap().sum);
        near(read.predicted.unwrap().base, exact.predicted.unwrap().base);
        assert_eq!(read.along.len(), exact.along.len());
        read.along.iter().zip(&exact.along).for_each(|(a, b)| near(*a, *b));
    }
    // Rows have about the second moments 1 and no correlation.
    let a = &moments.inputs().gram().sums().a;
    let heads = moments.inputs().all().heads;
    for (at, entry) in a.iter().enumerate() {
        let expected = if at % 9 == 0 { 1.0 } else { 0.0 };
        assert!((entry / heads - expected).abs() < 0.35, "entry {at}: {}", entry / heads);
    }
}
