import { join } from 'node:path';
import { type MeasurePlace, progress } from './measure.js';
import type { BenchOptions } from './options.js';
import { RunningService } from './running-service.js';

/** A start takes longer than a measurement of a row. */
export const startRounds = (asked: number): number => Math.ceil(asked / 3);

/** From the start of the process until it is ready, in ms: by the name of the service, in the order of the rounds. */
export async function measureStarts(
  { kinds, rounds: asked }: BenchOptions,
  { database, directory }: MeasurePlace,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const starts = new Map<string, number[]>(kinds.map(({ name }) => [name, []]));
  const rounds = startRounds(asked);
  // The first start of each finds nothing in the caches of the machine, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    progress(`starts, round ${round} of ${rounds}`);
    for (const kind of kinds) {
      const logFile = join(directory, `${kind.name}.log`);
      await using service = await RunningService.start(kind, { databaseUrl: database.url, logFile });
      if (round > 0) starts.get(kind.name)?.push(service.startMs);
    }
  }
  return starts;
}
