// Imported by run.ts, which Node runs as it stands: types alone are imported here.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Account } from './account.ts';

/** The environment variable that names the file for the report of a run. */
export const reportVariable = 'KEELSON_OUTAGES_REPORT';

export interface Row {
  readonly name: string;
  readonly account: Account;
}

export interface Failure {
  /** Of the outage. */
  readonly name: string;
  readonly message: string;
}

/** What one run of the suite has found. */
export interface Report {
  readonly rows: readonly Row[];
  readonly failures: readonly Failure[];
}

/** Where the environment says, if it does. */
export function writeReport(report: Report): void {
  const file = process.env[reportVariable];
  if (file !== undefined) writeFileSync(file, JSON.stringify(report));
}

/** Undefined when the run did not come so far. */
export function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
