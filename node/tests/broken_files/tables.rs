//! Files of rows: CSV, Parquet, NDJSON, and what they are packed in.
use super::{Broken, PERSON, broken};
use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::Arc;

pub(crate) fn cases() -> Vec<Broken> {
    let mut all = csv();
    all.extend(parquet());
    all.extend(ndjson());
    all.extend(packed());
    all
}

fn csv() -> Vec<Broken> {
    let row = format!("D1,{PERSON}\n");
    let utf16: Vec<u8> = "\u{feff}nr,name\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        broken("CSV in Latin-1", "x=x.csv", b"nr,name\nD1,M\xfcller\n").says(&["the line is not UTF-8 text", "  at:   x.csv:2", "  hint: save the file as CSV UTF-8"]),
        broken("CSV in UTF-16", "x=x.csv", utf16).says(&["the line is not UTF-8 text", "  at:   x.csv:1", "  hint: save the file as CSV UTF-8"]),
        broken("a byte order mark is no fault", "x=x.csv", format!("\u{feff}nr,name\n{row}"))
            .says(&[]),
        broken("a row with too many fields", "x=x.csv", format!("nr,name\n{row}D2,{PERSON},7\n"))
            .says(&["the row has 3 fields; the header has 2", "  at:   x.csv:3", "  hint: look for a delimiter inside a field that is not quoted"]),
        broken("a row with too few fields", "x=x.csv", format!("nr,name\n{row}{PERSON}\n"))
            .says(&["the row has 1 field; the header has 2", "  at:   x.csv:3", "  hint: look for a delimiter inside a field that is not quoted"]),
        broken(
            "a quote that is not closed",
            "x=x.csv",
            format!("nr,name\nD1,\"{PERSON}\n{row}{row}"),
        )
        .says(&["a quote that opens on line 2 is never closed", "  at:   x.csv:2", "  hint: close the quote, or write it twice if it is part of the text"]),
        broken("a spreadsheet", "x=x.xlsx", "PK\u{3}\u{4}").says(&["the file is a spreadsheet", "  at:   x.xlsx", "  hint: save its sheet as CSV UTF-8"]),
        broken("a spreadsheet that is called CSV", "x=x.csv", format!("PK\u{3}\u{4}{PERSON}"))
            .says(&["the file is a zip archive, as a spreadsheet is, and no CSV", "  at:   x.csv", "  hint: open it and save its sheet as CSV UTF-8, or unpack it"]),
        broken("a quote that swallows the other fields", "x=x.csv", format!("nr,name\n{row}\"{PERSON}\n{row}"))
            .says(&["a quote that opens on line 3 is never closed", "  at:   x.csv:3", "  hint: close the quote, or write it twice if it is part of the text"]),
        broken("a quote that closes lines later", "x=x.csv", format!("nr,name\n\"D1,{PERSON}\nD2,\"{PERSON}\n"))
            .says(&["the row has 1 field; the header has 2; a quote that opens on line 2 closes on line 3", "  at:   x.csv:2", "  hint: close the quote where its field ends, or write it twice if it is part of the text"]),
        broken("a field of 2 MB", "x=x.csv", format!("nr,name\n{row}D2,{}\n", "x".repeat(2 << 20)))
            .says(&["a line is longer than 1048576 bytes", "  at:   x.csv:3", "  hint: look for a quote that is not closed near this line"]),
        broken("a NUL byte", "x=x.csv", format!("nr,name\nD1,{PERSON}\0\n")).says(&["the line holds a NUL byte, so it is no UTF-8 text", "  at:   x.csv:2", "  hint: save the file as CSV UTF-8"]),
        broken("a column twice", "x=x.csv", "nr,Name,name\n").says(&["the header line is not sound: columns 2 and 3 are both called `name`", "  at:   x.csv:1", "  hint: the first line must name every column once"]),
        broken("an empty file", "x=x.csv", "").says(&["the header line is not sound: no columns", "  at:   x.csv:1", "  hint: the first line must name every column once"]),
        broken("no header", "x=x.csv", "\n\n").says(&["the header line is not sound: no columns", "  at:   x.csv:1", "  hint: the first line must name every column once"]),
        broken(
            "600 columns",
            "x=x.csv",
            (0..600).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","),
        )
        .says(&["the header line is not sound: more than 512 columns", "  at:   x.csv:1", "  hint: the first line must name every column once"]),
        broken("another delimiter", "x=x.csv", format!("nr|name\nD1|{PERSON}\n"))
            .by("-- @encounter\nSELECT nr AS encounter FROM raw_x\n")
            .says(&["section `@encounter` does not run: no such column: nr", "  at:   site.sql:4", "  hint: raw_staff has _line, nr, role, field, works; raw_x has _line, nr_name"]),
        broken("a file that is not there", "x=x.csv", "").absent().says(&["the file cannot be read: No such file or directory (os error 2)", "  at:   x.csv"]),
        broken("a kind nobody knows", "x=x.docx", "PK").says(&["the kind of the file is not known", "  at:   x.docx", "  hint: its name must end in .csv, .tsv, .txt, .parquet, .ndjson or .fit; else say what it is, as in x.apple=FILE: one of csv, parquet, ndjson, fhir, dictionary, recordings, openmhealth, fit, apple, fitbit, openface"]),
        broken("two inputs of one name", "x=x.csv", "nr\n1\n").with("x=y.csv", "nr\n1\n").says(&["two files are called `x`", "  hint: each NAME=FILE needs a name of its own"]),
        broken("a folder where a file is due", "x.csv=rec", "")
            .absent()
            .with("rec/a.csv", "nr\n")
            .says(&["the file cannot be read: Is a directory (os error 21)", "  at:   rec"]),
    ]
}

fn write(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        ::parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn parquet() -> Vec<Broken> {
    let numbers: ArrayRef =
        Arc::new((0..5_000_i64).map(|n| n * 7919 % 5_003).collect::<Int64Array>());
    let names: ArrayRef = Arc::new(StringArray::from(vec![PERSON; 5_000]));
    let sound = write(vec![("nr", Arc::clone(&numbers)), ("name", names)]);
    let cut = sound.len() - 9;
    let mut magic = sound.clone();
    magic.splice(..4, *b"PARX");
    let mut sealed = sound.clone();
    sealed.splice(sound.len() - 4.., *b"PARE");
    let mut damaged = sound.clone();
    damaged.iter_mut().skip(8).take(64).for_each(|byte| *byte = 0xff);
    let mut long = sound.clone();
    long.splice(sound.len() - 8..sound.len() - 4, u32::MAX.to_le_bytes());
    let mut list = ListBuilder::new(Int64Builder::new());
    list.append_value([Some(1), Some(2)]);
    let list: ArrayRef = Arc::new(list.finish());
    let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    vec![
        broken("a Parquet file cut short", "x=x.parquet", &sound[..cut]).says(&["the file is not sound Parquet: Parquet error: Invalid Parquet file. Corrupt footer", "  at:   x.parquet", "  hint: copy it again: a file that was cut short on the way is the usual reason"]),
        broken("no Parquet at its end", "x=x.parquet", b"PAR1 but then a text".as_slice()).says(&["the file is not sound Parquet: Parquet error: Invalid Parquet file. Corrupt footer", "  at:   x.parquet", "  hint: copy it again: a file that was cut short on the way is the usual reason"]),
        broken("another mark at its start is no fault", "x=x.parquet", magic).says(&[]),
        broken("an encrypted Parquet file", "x=x.parquet", sealed).says(&["the Parquet file is encrypted", "  at:   x.parquet", "  hint: write it without"]),
        broken("a damaged page", "x=x.parquet", damaged).says(&["the file is not sound Parquet: Parquet argument error: Parquet error: Required field compressed_page_size is missing", "  at:   x.parquet, after row 0"]),
        broken("a footer longer than the file", "x=x.parquet", long).says(&["the file is not sound Parquet: EOF: Parquet file too small. Size is 48894 but need 4294967303", "  at:   x.parquet", "  hint: copy it again: a file that was cut short on the way is the usual reason"]),
        broken("an empty Parquet file", "x=x.parquet", "").says(&["the file is not sound Parquet: EOF: Parquet file too small. Size is 0 but need 8", "  at:   x.parquet", "  hint: copy it again: a file that was cut short on the way is the usual reason"]),
        broken("a column of lists", "x=x.parquet", write(vec![("codes", list)])).says(&["column `codes` holds List(Int64), which is not a plain value", "  at:   x.parquet", "  hint: leave the column out, or write it flat: text, number, boolean, date or time"]),
        broken(
            "a column twice, but for its case",
            "x=x.parquet",
            write(vec![("Nr", Arc::clone(&one)), ("nr", one)]),
        )
        .says(&["the columns of the file are not sound: columns 1 and 2 are both called `nr`", "  at:   x.parquet", "  hint: names are taken in lower case, with _ for other signs, and must differ"]),
    ]
}

fn ndjson() -> Vec<Broken> {
    let sound = format!("{{\"name\":\"{PERSON}\"}}\n");
    vec![
        broken("a line that is not JSON", "x=x.ndjson", format!("{sound}{PERSON}\n")).says(&["the line is not JSON", "  at:   x.ndjson:2:1", "  hint: expected one JSON object a line; a document over several lines must be written on one"]),
        broken("a list in a line", "x=x.ndjson", format!("{sound}[1, 2]\n")).says(&["the line is not a JSON object", "  at:   x.ndjson:2:0", "  hint: expected one JSON object a line; a document over several lines must be written on one"]),
        broken(
            "a document over several lines",
            "x=x.ndjson",
            format!("{{\n\"name\":\"{PERSON}\"\n}}\n"),
        )
        .says(&["the line ends within a JSON object", "  at:   x.ndjson:1:0", "  hint: expected one JSON object a line; a document over several lines must be written on one"]),
        broken(
            "brackets 20,000 deep are no fault",
            "x=x.ndjson",
            format!("{{\"a\":{}{}}}\n", "[".repeat(20_000), "]".repeat(20_000)),
        )
        .says(&[]),
        broken("not a number", "x=x.ndjson", "{\"a\":NaN}\n").says(&["the line is not JSON", "  at:   x.ndjson:1:6", "  hint: expected one JSON object a line; a document over several lines must be written on one"]),
        broken(
            "a number without bounds is no fault",
            "x=x.ndjson",
            format!("{{\"a\":1{}}}\n", "0".repeat(400)),
        )
        .says(&[]),
        broken("a key twice", "x=x.ndjson", format!("{{\"name\":\"{PERSON}\",\"name\":\"x\"}}\n"))
            .says(&["the object has a key twice, and nobody says which counts", "  at:   x.ndjson:1", "  hint: each key of an object may stand once"]),
        broken("JSON in Latin-1", "x=x.ndjson", b"{\"a\":\"M\xfcller\"}\n").says(&["the line is not UTF-8 text", "  at:   x.ndjson:1", "  hint: save the file as UTF-8"]),
        broken(
            "a line of 9 MB",
            "x=x.ndjson",
            format!("{sound}{{\"a\":\"{}\"}}\n", "x".repeat(9 << 20)),
        )
        .says(&["a line is longer than 8388608 bytes", "  at:   x.ndjson:2", "  hint: expected one JSON object a line"]),
    ]
}

fn packed() -> Vec<Broken> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    for nr in 0..2_000 {
        writeln!(encoder, "{{\"nr\":{nr},\"name\":\"{PERSON}\"}}").unwrap();
    }
    let sound = encoder.finish().unwrap();
    let mut sum = sound.clone();
    let at = sum.len() - 8;
    sum.splice(at..at + 4, [1, 2, 3, 4]);
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    vec![
        broken("a packed file cut short", "x=x.ndjson.gz", &sound[..sound.len() / 2]).says(&["the packed file cannot be unpacked: incomplete deflate stream", "  at:   x.ndjson.gz:968", "  hint: expected gzip, whole: copy it again"]),
        broken("a packed file whose sum does not hold", "x=x.ndjson.gz", sum).says(&["the packed file cannot be unpacked: corrupt gzip stream does not have a matching checksum", "  at:   x.ndjson.gz:2001", "  hint: expected gzip, whole: copy it again"]),
        broken("a file that is not packed", "x=x.ndjson.gz", "{\"a\":1}\n").says(&["the packed file cannot be unpacked: unexpected end of file", "  at:   x.ndjson.gz:1", "  hint: expected gzip, whole: copy it again"]),
        broken("64 MB of blanks in 64 kB", "x=x.ndjson.gz", bomb).says(&["a line is longer than 8388608 bytes", "  at:   x.ndjson.gz:1", "  hint: expected one JSON object a line"]),
    ]
}
