import { type StatementShape, shapeOf } from './statement-shape.js';

/** A shape, and one statement that has it. */
export interface StatementOfShape {
  readonly shape: StatementShape;
  /** Not for people: its text may hold values. */
  readonly sql: string;
}

/** What was noted of the statements of one shape: slow ones, and those that repeat in a session. */
export interface NotedStatement extends StatementOfShape {
  readonly slow: number;
  readonly totalMs: number;
  readonly maxMs: number;
  /** How many sessions have run it too often. */
  readonly repeated: number;
  /** How often, by the name of the session. */
  readonly sessions: ReadonlyMap<string, number>;
}

interface Note extends StatementOfShape {
  slow: number;
  totalMs: number;
  maxMs: number;
  repeated: number;
  readonly sessions: Map<string, number>;
}

const mostNotes = 500;
const mostSessions = 50;
const mostShapes = 1_000;

/** The statements that stood out since the start, by shape; those that stood out longest ago are forgotten first. */
export class NotedStatements {
  readonly #notes = new Map<string, Note>();
  /** By text: most texts come again and again. */
  readonly #shapes = new Map<string, StatementShape>();

  shapeOf(sql: string): StatementShape {
    const known = this.#shapes.get(sql);
    if (known !== undefined) return known;
    if (this.#shapes.size >= mostShapes) this.#shapes.clear();
    const shape = shapeOf(sql);
    this.#shapes.set(sql, shape);
    return shape;
  }

  slow(sql: string, session: string, durationMs: number): NotedStatement {
    const note = this.#note(sql, session);
    note.slow += 1;
    note.totalMs += durationMs;
    note.maxMs = Math.max(note.maxMs, durationMs);
    return note;
  }

  repeated(sql: string, session: string): NotedStatement {
    const note = this.#note(sql, session);
    note.repeated += 1;
    return note;
  }

  /** One that stood out, or one whose shape was asked for lately, for a span for instance. */
  find(id: string): StatementOfShape | undefined {
    return this.#notes.get(id) ?? this.#recent(id);
  }

  /** Those that took longest in all first. */
  all(): readonly NotedStatement[] {
    return [...this.#notes.values()].sort((a, b) => b.totalMs - a.totalMs || b.repeated - a.repeated);
  }

  #recent(id: string): StatementOfShape | undefined {
    for (const [sql, shape] of this.#shapes) if (shape.id === id) return { shape, sql };
    return undefined;
  }

  #note(sql: string, session: string): Note {
    const shape = this.shapeOf(sql);
    const known = this.#notes.get(shape.id);
    const note = known ?? { shape, sql, slow: 0, totalMs: 0, maxMs: 0, repeated: 0, sessions: new Map() };
    const name = note.sessions.has(session) || note.sessions.size < mostSessions ? session : 'others';
    note.sessions.set(name, (note.sessions.get(name) ?? 0) + 1);
    this.#notes.delete(shape.id);
    this.#notes.set(shape.id, note);
    if (this.#notes.size > mostNotes) this.#forgetOldest();
    return note;
  }

  #forgetOldest(): void {
    for (const id of this.#notes.keys()) {
      this.#notes.delete(id);
      return;
    }
  }
}
