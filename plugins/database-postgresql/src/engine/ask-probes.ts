import { type BatchOutcome, type Row, type Statement, severityOf, sqlStateOf } from '@keelson/database';
import { type Found, nothingFound } from './found.js';
import { type Probe, probes } from './probes.js';

type Ask = (statements: readonly Statement[]) => Promise<BatchOutcome['results']>;

/**
 * Asks what the server is and what it can do, in one round trip. When it refuses that, each question is asked alone: one
 * that is refused takes a capability away, and nothing else.
 *
 * @throws what `ask` throws, unless it is the answer of a server.
 */
export async function askProbes(ask: Ask, backendKey: () => number | null | undefined): Promise<Found> {
  const found = nothingFound();
  const together = await unlessRefused(ask(statementsOf(probes)));
  if ('results' in together) {
    found.backendKey = backendKey();
    let first = 0;
    for (const probe of probes) {
      learn(probe, together.results.slice(first, first + probe.sql.length), found);
      first += probe.sql.length;
    }
    return found;
  }
  for (const probe of probes) {
    const alone = await unlessRefused(ask(statementsOf([probe])));
    // The first one asks who answers; a question that is refused costs the connection.
    if (found.backendKey === undefined) found.backendKey = backendKey();
    if ('results' in alone) learn(probe, alone.results, found);
    else if (probe.of !== undefined) found.lacks.set(probe.of, `the server refused the probe (${alone.state})`);
  }
  return found;
}

function learn(probe: Probe, results: BatchOutcome['results'], found: Found): void {
  const rows = results.map(({ rows: [row] }): Row => row ?? {});
  if (probe.read(rows, found) || probe.of === undefined) return;
  found.lacks.set(probe.of, 'the server accepted the probe, but the feature has no effect');
}

function statementsOf(asked: readonly Probe[]): readonly Statement[] {
  return asked.flatMap(({ sql }) => sql.map(text => ({ sql: text })));
}

async function unlessRefused(
  answer: Promise<BatchOutcome['results']>,
): Promise<{ readonly results: BatchOutcome['results'] } | { readonly state: string }> {
  try {
    return { results: await answer };
  } catch (error) {
    if (severityOf(error) !== 'ERROR') throw error;
    return { state: sqlStateOf(error) ?? 'no code' };
  }
}
