import { Refusal } from './refusal.js';

const pattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const maxLength = 60;

/** Names that npm or Node.js use themselves. */
const taken = ['node-modules', 'favicon-ico', 'keelson', 'test', 'node'];

/** What a name must be. */
const rule = 'Use lower-case letters, digits and single dashes, with a letter first: order-book.';

/** Returns what is wrong with the name of a service: one that fits npm, Docker, DNS and a database. */
export function problemOfName(name: string): string | undefined {
  if (name === '') return 'The service needs a name.';
  if (name.length > maxLength) return `The name has ${name.length} characters; at most ${maxLength} are possible.`;
  if (taken.includes(name)) return `The name ${name} is reserved.`;
  return pattern.test(name) ? undefined : `${JSON.stringify(name)} cannot be the name of a service.`;
}

/** The problem and what to do, for a person who is asked for the name. */
export function explainedProblemOfName(name: string): string | undefined {
  const problem = problemOfName(name);
  return problem === undefined ? undefined : `${problem} ${rule}`;
}

/** @throws Refusal */
export function assertName(name: string): void {
  const problem = problemOfName(name);
  if (problem === undefined) return;
  throw new Refusal(problem, rule, { isUsage: true });
}
