import { equal } from 'node:assert/strict';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { rejection } from './checks.js';
import { Account, Note } from './conformance-model.js';
import { addNote, type StoredNote } from './notes.js';

export const refused = new Error('refused by the work');

type Step = 'changed' | 'other';
type Work = (em: EntityManager) => Promise<void>;

/** One way to change a note, and what is seen of it. */
interface Change {
  readonly what: string;
  readonly to: (note: StoredNote, step: Step, em: EntityManager) => void;
  readonly read: (note: StoredNote) => unknown;
}

const isChanged = (step: Step) => step === 'changed';

export const changes: readonly Change[] = [
  { what: 'a text', to: (note, step) => Object.assign(note, { text: step }), read: note => note.text },
  {
    what: 'a number',
    to: (note, step) => Object.assign(note, { rank: isChanged(step) ? 1 : 2 }),
    read: note => note.rank,
  },
  {
    what: 'a date',
    to: (note, step) => Object.assign(note, { due: new Date(isChanged(step) ? 1_000 : 2_000) }),
    read: note => note.due?.getTime(),
  },
  {
    what: 'an enum',
    to: (note, step) => Object.assign(note, { state: isChanged(step) ? 'done' : null }),
    read: note => note.state ?? 'none',
  },
  {
    what: 'a custom type',
    to: (note, step) => Object.assign(note, { words: ['two', step] }),
    read: note => note.words,
  },
  {
    what: 'a custom type, from inside',
    to: (note, step) => void note.words?.push(step),
    read: note => note.words,
  },
  {
    what: 'JSON',
    to: (note, step) => Object.assign(note, { details: { tags: [step] } }),
    read: note => note.details?.tags,
  },
  {
    what: 'JSON, from inside',
    to: (note, step) => void note.details?.tags.push(step),
    read: note => note.details?.tags,
  },
  {
    what: 'an embedded object',
    to: (note, step) => Object.assign(Object(note.place), { city: step }),
    read: note => [note.place?.city, note.place?.street],
  },
  {
    what: 'an embedded object as a whole',
    to: (note, step) => Object.assign(note, { place: isChanged(step) ? null : { city: step, street: 'two' } }),
    read: note => [note.place?.city, note.place?.street],
  },
  {
    what: 'an embedded object in JSON',
    to: (note, step) => Object.assign(Object(note.home), { city: step }),
    read: note => [note.home?.city, note.home?.street],
  },
  {
    what: 'a relation',
    to: (note, step, em) => Object.assign(note, { account: em.getReference(Account, isChanged(step) ? 2 : 3) }),
    read: note => note.account?.id,
  },
  {
    what: 'a relation that is taken away',
    to: (note, step, em) => Object.assign(note, { account: isChanged(step) ? null : em.getReference(Account, 3) }),
    read: note => note.account?.id,
  },
  {
    what: 'a collection',
    to: (note, step, em) => void note.readers.set([em.getReference(Account, isChanged(step) ? 2 : 3)]),
    read: note => note.readers.getIdentifiers(),
  },
];

/** The ways into a savepoint of the session of `em`. */
export const ways: readonly ((database: DatabaseService, em: EntityManager, work: Work) => Promise<void>)[] = [
  (database, _, work) => database.transaction(work),
  (database, _, work) => database.session(work, { nested: 'savepoint' }),
  (_, em, work) => em.transactional(work),
];

/** Runs `work` in a part, flushes it, and lets the part fail. */
export async function undo(part: (work: Work) => Promise<void>, work: (em: EntityManager) => unknown): Promise<void> {
  const failing = part(async em => {
    await work(em);
    await em.flush();
    throw refused;
  });
  equal(await rejection(failing), refused);
}

/** A note of which everything is set. */
export async function addFullNote(database: DatabaseService): Promise<number> {
  const id = await addNote(database);
  await database.session(async em => {
    const note = await em.findOneOrFail(Note, id);
    Object.assign(note, { rank: 9, due: new Date(0), state: 'open', words: ['one'], details: { tags: ['start'] } });
  });
  return id;
}

/** Its version then. */
export const versionBefore = 2;

export function seen(note: StoredNote): unknown {
  return structuredClone(changes.map(({ read }) => read(note)));
}

export function changeAll(note: StoredNote, em: EntityManager): void {
  for (const { to } of changes) to(note, 'changed', em);
}
