import type { ConformanceCase, ConformanceOutcome } from '@keelson/core/testing';
import { conformanceCase } from '@keelson/core/testing';
import type { DatabaseService } from '../database-service.js';
import type { DatabaseCapability } from '../driver/engine.js';
import { batching } from './batching.js';
import { changing } from './changing.js';
import { isAtRest } from './checks.js';
import { committing } from './committing.js';
import { conformanceModel } from './conformance-model.js';
import { connecting } from './connecting.js';
import { ending } from './ending.js';
import { endingByHand } from './ending-by-hand.js';
import { flushing } from './flushing.js';
import type { DatabaseHarness, Requirement, Subject } from './harness.js';
import { holding } from './holding.js';
import { hooking } from './hooking.js';
import { identifying } from './identifying.js';
import { lacking } from './lacking.js';
import { lending } from './lending.js';
import { listening } from './listening.js';
import { migrating } from './migrating.js';
import { nestedOptions } from './nested-options.js';
import { nesting } from './nesting.js';
import { outside } from './outside.js';
import { overlapping } from './overlapping.js';
import { pastFlushes } from './past-flushes.js';
import { refusing } from './refusing.js';
import { retrying } from './retrying.js';
import { undone } from './undone.js';
import { undoneParts } from './undone-parts.js';

export interface DatabaseConformanceCase extends ConformanceCase {
  /** Not applicable to a driver that lacks one of them. */
  readonly requires: readonly DatabaseCapability[];
  /** Not applicable to a driver with it. */
  readonly lacks?: DatabaseCapability;
}

function requiring(requires: DatabaseCapability, cases: readonly Requirement[]): readonly Requirement[] {
  return cases.map(each => ({ ...each, requires: each.requires ?? requires }));
}

const requirements: readonly Requirement[] = [
  ...connecting,
  ...committing,
  ...nesting,
  ...nestedOptions,
  ...identifying,
  ...flushing,
  ...changing,
  ...hooking,
  ...requiring('savepoints', overlapping),
  ...outside,
  ...refusing,
  ...holding,
  ...ending,
  ...endingByHand,
  ...lending,
  ...listening,
  ...retrying,
  ...undone,
  ...requiring('savepoints', undoneParts),
  ...pastFlushes,
  ...migrating,
  ...batching,
  ...lacking,
];

/**
 * What every database driver must do, ours or another's. After each case no connection is lent and no caller waits.
 *
 * ```ts
 * for (const { name, run } of databaseConformance(harness)) test(name, async () => void (await run()));
 * ```
 */
export function databaseConformance(
  createHarness: () => DatabaseHarness | Promise<DatabaseHarness>,
): DatabaseConformanceCase[] {
  return requirements.map(requirement => ({
    ...conformanceCase(
      requirement.name,
      createHarness,
      harness => checked(requirement, harness),
      neededFor(requirement),
    ),
    requires: requiredBy(requirement),
    ...(requirement.lacks && { lacks: requirement.lacks }),
  }));
}

function requiredBy({ requires = [] }: Requirement): readonly DatabaseCapability[] {
  return typeof requires === 'string' ? [requires] : requires;
}

function neededFor(requirement: Requirement): string | undefined {
  const requires = requiredBy(requirement);
  const { lacks } = requirement;
  if (requires.length > 0)
    return `the ${requires.length === 1 ? 'capability' : 'capabilities'} ${requires.join(' and ')}`;
  return lacks === undefined ? undefined : `a database without the capability ${lacks}`;
}

const empty =
  'truncate conformance_note_readers, conformance_note, conformance_booking, conformance_account restart identity';

async function checked(requirement: Requirement, harness: DatabaseHarness): Promise<ConformanceOutcome> {
  const { database } = harness;
  const { lacks } = requirement;
  if (requiredBy(requirement).some(capability => !database.capabilities.has(capability))) return 'not-applicable';
  if (lacks !== undefined && database.capabilities.has(lacks)) return 'not-applicable';
  await database.session(em => em.execute(empty));
  const opened: DatabaseService[] = [];
  try {
    await requirement.check({ database, open: opener(harness, opened) });
    for (const service of [database, ...opened]) await isAtRest(service);
  } finally {
    await Promise.all(opened.map(service => service.disconnect()));
  }
  return 'passed';
}

function opener(harness: DatabaseHarness, opened: DatabaseService[]): Subject['open'] {
  return async (count = 1, models = [conformanceModel]) => {
    const [first, ...others] = await harness.open({ count, models });
    if (first === undefined) throw new Error('The harness opened no service.');
    opened.push(first, ...others);
    return [first, ...others];
  };
}
