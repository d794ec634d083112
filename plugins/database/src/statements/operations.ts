import { defineOperation, KeelsonError, type Operation } from '@keelson/core';
import { z } from 'zod';
import type { DatabaseService } from '../database-service.js';
import type { NotedStatement, NotedStatements } from './noted-statements.js';

/** What an operator may ask of the statements of a running service. */
export function statementOperations<Config>(
  database: DatabaseService,
  noted: () => NotedStatements,
): Record<string, Operation<unknown, Config>> {
  return { statements: list(noted), explain: explainOne(database, noted) };
}

function list(noted: () => NotedStatements) {
  return defineOperation({
    description:
      'Lists the statements that were slow, or repeated in a session, since the start: by shape, without values.',
    arguments: z.object({ limit: z.int().min(1).max(500).default(20).describe('The most statements that it lists.') }),
    run({ limit }) {
      const all = noted().all();
      if (all.length === 0) return { done: 'No statement was slow, and none repeated in a session.', changed: false };
      return { done: [`${all.length} shapes:`, ...all.slice(0, limit).map(format)].join('\n'), changed: false };
    },
  });
}

function explainOne(database: DatabaseService, noted: () => NotedStatements) {
  return defineOperation({
    description: 'Shows the plan of a statement by its shape, for any values. The server does not run the statement.',
    arguments: z.object({
      shape: z
        .string()
        .regex(/^[0-9a-f]{8}$/, 'must be the id of a shape')
        .describe('The id of the shape.'),
    }),
    async run({ shape }) {
      const statement = noted().find(shape);
      if (statement === undefined) throw unknown(shape, noted());
      const { explain } = await import('./explain.js');
      return { done: `${statement.shape.text}\n${await explain(database, statement)}`, changed: false };
    },
  });
}

function format({ shape, slow, totalMs, maxMs, repeated, sessions }: NotedStatement): string {
  const slowly =
    slow === 0 ? [] : [`slow ${slow} times, ${Math.round(totalMs)} ms in all, ${Math.round(maxMs)} ms at most`];
  const often = repeated === 0 ? [] : [`repeated in ${repeated} ${repeated === 1 ? 'session' : 'sessions'}`];
  const names = [...sessions].map(([name, count]) => `${name} ${count}`).join(', ');
  return `${shape.id}  ${[...slowly, ...often].join('; ')}; sessions: ${names}\n          ${shape.text}`;
}

function unknown(shape: string, noted: NotedStatements): KeelsonError {
  const known = noted.all().map(each => each.shape.id);
  return new KeelsonError({
    code: 'DATABASE_SHAPE_UNKNOWN',
    message: `No statement of the shape ${shape} was slow, repeated or traced lately in this process.`,
    hint: known.length === 0 ? 'Lower slowStatements.thresholdMs.' : `Available: ${known.slice(0, 20).join(', ')}.`,
    facts: { shape },
  });
}
