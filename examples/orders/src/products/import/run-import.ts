import { type CommandContext, isKeelsonError } from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import type { ImportArguments } from './import-arguments.js';
import { importStopped, linesRefused } from './import-errors.js';
import { importAll, importInBatches, Unsound } from './import-products.js';
import { ImportReport } from './import-report.js';
import { progressBar } from './progress-bar.js';
import { type ReadingFile, readProducts } from './read-products.js';

/**
 * Imports the products of a file, and prints what was stored and which lines were bad.
 *
 * @throws KeelsonError ORDERS_IMPORT_REFUSED, ORDERS_IMPORT_LINES_REFUSED or ORDERS_IMPORT_STOPPED; what the database throws.
 */
export async function run(
  { file, batch }: ImportArguments,
  { container, signal, out, progress }: CommandContext,
): Promise<void> {
  const database = container.get(DatabaseService);
  const report = new ImportReport();
  const startedAt = performance.now();
  let reading: ReadingFile | undefined;
  const open = async () => {
    reading = await readProducts(file, signal);
    return reading.lines;
  };
  const onProgress = (done: number) =>
    progress(progressBar({ share: reading?.readShare() ?? 0, done, elapsedMs: performance.now() - startedAt }));
  const parts = { database, open, report, signal, onProgress };
  try {
    if (batch === undefined) await importAll(parts);
    else await importInBatches(batch, parts);
  } catch (error) {
    if (!(error instanceof Unsound)) {
      if (signal.aborted) throw importStopped(report.stored, report.storedUpTo, undefined);
      if (isKeelsonError(error, 'ORDERS_IMPORT_REFUSED')) throw error;
      throw importStopped(report.stored, report.storedUpTo, error);
    }
  }
  for (const line of report.describe()) out(line);
  if (report.bad > 0) throw linesRefused(report.bad, report.stored);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const products = report.stored === 1 ? 'product' : 'products';
  out(`${report.stored.toLocaleString('en-US')} ${products} stored in ${seconds} s.`);
}
