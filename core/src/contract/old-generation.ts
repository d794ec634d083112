import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';

export interface OldGeneration {
  readonly usedBytes: number;
  /** Close to it, V8 ends the process. */
  readonly limitBytes: number;
}

/**
 * The heap without the space of new objects: V8 ends the process when this part is full. The limit that V8 reports includes
 * the space of new objects, which old objects never get: 192 MB of 448 in a process with `--max-old-space-size=256`.
 */
export function oldGeneration(): OldGeneration {
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith('new_'));
  return {
    usedBytes: spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0),
    limitBytes: getHeapStatistics().heap_size_limit - youngBytes,
  };
}

const megabyte = 1_048_576;
/** V8 has three halves of the space of new objects: of 16 MB each, and of 64 MB since Node 24. */
const youngBytes = 3 * (givenHalf() ?? (Number.parseInt(process.versions.v8, 10) >= 13 ? 64 : 16)) * megabyte;

/** In MB; undefined where no flag of Node sets it. */
function givenHalf(): number | undefined {
  const words = [...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv];
  const given = words.map(word => /^--max[-_]semi[-_]space[-_]size=(\d+)$/.exec(word)?.[1]).filter(Boolean);
  const last = given.at(-1);
  return last === undefined ? undefined : Number(last);
}
