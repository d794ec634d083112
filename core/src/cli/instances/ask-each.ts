import { isKeelsonError } from '../../contract/keelson-error.js';
import type { Instance } from '../../control/instances.js';
import { type ErrorSummary, summarizeError } from '../../secrets/summarize-error.js';
import { printJson, type Terminal } from '../command.js';

/** What one instance answered, or why it did not do what it was asked. */
export type Answered<Answer> = { readonly pid: number } & (
  | { readonly answer: Answer }
  | { readonly error: ErrorSummary & { readonly hint?: string; readonly problems?: unknown } }
);

/** Asks all of them side by side. */
export function askEach<Answer>(
  instances: readonly Instance[],
  ask: (instance: Instance) => Promise<Answer>,
): Promise<Answered<Answer>[]> {
  return Promise.all(
    instances.map(async instance => {
      const { pid } = instance;
      try {
        return { pid, answer: await ask(instance) };
      } catch (error) {
        const { hint, facts = {} } = isKeelsonError(error) ? error : {};
        const { problems } = facts;
        // Of our own making, or from the instance, which meant it for the operator: all lines of it count.
        const { message } = isKeelsonError(error) ? error : summarizeError(error);
        return {
          pid,
          error: {
            ...summarizeError(error),
            message,
            ...(hint !== undefined && { hint }),
            ...(problems !== undefined && { problems }),
          },
        };
      }
    }),
  );
}

/** Prints each answer with `print`, or all as JSON, and the errors of the instances that have none. */
export function printAnswers<Answer extends object>(
  answers: readonly Answered<Answer>[],
  { json }: { readonly json: boolean },
  terminal: Terminal,
  print: (answer: Answer, pid: number) => void,
): void {
  if (json) {
    printJson(
      terminal,
      answers.map(({ pid, ...rest }) => ({ pid, ...('answer' in rest ? rest.answer : rest) })),
    );
    return;
  }
  for (const each of answers) {
    if ('answer' in each) print(each.answer, each.pid);
    else terminal.err(formatFailure(each));
  }
}

/** As `formatError` writes an error. */
function formatFailure({ pid, error }: { pid: number; error: ErrorSummary & { hint?: string } }): string {
  const hint = error.hint === undefined ? '' : `\n  -> ${error.hint}`;
  return `pid ${pid}: ${error.code ?? 'failed'}  ${error.message}${hint}`;
}
