import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CsvError, type Info, parse } from 'csv-parse';
import { z } from 'zod';
import { type NewProduct, sku, stock, unitPriceCents } from '../product-input.js';
import { importRefused } from './import-errors.js';

/** A line of the file after the first: a product, or what is wrong with it. */
export type ReadLine =
  | { readonly line: number; readonly product: NewProduct; readonly problem?: undefined }
  | { readonly line: number; readonly problem: string };

export interface ReadingFile {
  readonly lines: AsyncIterable<ReadLine>;
  /** The share of the file that is read, 0 to 1. */
  readShare(): number;
}

const columns = ['sku', 'stock', 'unitPriceCents'];
const longestLineBytes = 10_000;

const wholeNumberText = (number: z.ZodNumber) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(number);

const record = z.object({ sku, stock: wholeNumberText(stock), unitPriceCents: wholeNumberText(unitPriceCents) });

/**
 * Reads a CSV file as a stream, only as fast as `lines` is read. Closes it when the reader stops.
 *
 * @throws KeelsonError ORDERS_IMPORT_REFUSED when the file cannot be read, or its first line names other columns.
 */
export async function readProducts(file: string, signal: AbortSignal): Promise<ReadingFile> {
  const size = await sizeOf(file);
  const input = createReadStream(file, { signal });
  const csv = parse({
    bom: true,
    info: true,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: longestLineBytes,
  });
  input.on('error', error => csv.destroy(error));
  csv.on('close', () => input.destroy());
  input.pipe(csv);
  return { lines: linesOf(csv), readShare: () => (size === 0 ? 1 : input.bytesRead / size) };
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: Pick<Info, 'lines'>;
}

async function* linesOf(records: AsyncIterable<CsvRecord>): AsyncGenerator<ReadLine> {
  let header: readonly string[] | undefined;
  let line = 1;
  try {
    for await (const { record: cells, info } of records) {
      line = info.lines;
      if (header === undefined) {
        assertHeader(cells);
        header = cells;
      } else yield readLine(line, header, cells);
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    // After this error, the lines that follow cannot be separated.
    yield { line: line + 1, problem: `is not valid CSV: ${error.message}` };
  }
  if (header === undefined) assertHeader([]);
}

function readLine(line: number, header: readonly string[], cells: readonly string[]): ReadLine {
  if (cells.length !== header.length)
    return { line, problem: `has ${cells.length} columns instead of ${header.length}` };
  const result = record.safeParse(Object.fromEntries(header.map((name, index) => [name, cells[index]])));
  if (result.success) return { line, product: result.data };
  return { line, problem: result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join(', ') };
}

function assertHeader(cells: readonly string[]): void {
  const isKnown = cells.length === columns.length && columns.every(name => cells.includes(name));
  if (!isKnown) throw importRefused(`The first line must name the columns ${columns.join(', ')}.`);
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new Error('it is not a file');
    return found.size;
  } catch (error) {
    throw importRefused('The file cannot be read.', error);
  }
}
