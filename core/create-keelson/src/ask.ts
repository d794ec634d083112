import { cancel, intro, select, text } from '@clack/prompts';
import { type Choice, choices, type Question, questions } from './choices.js';
import { explainedProblemOfName } from './service-name.js';

/** The answers so far; undefined where there is none yet. */
export type Answers = { readonly name: string | undefined } & { readonly [Name in Question]: string | undefined };

const titles: Readonly<Record<Question, string>> = {
  database: 'Which database?',
  logger: 'Which logger?',
  telemetry: 'Where do errors and spans go?',
};

/** Asks for what is missing. Undefined when the person has cancelled with Ctrl-C or Escape. */
export async function ask(known: Answers): Promise<Readonly<Record<Question | 'name', string>> | undefined> {
  intro('A new Keelson service');
  const name = known.name ?? (await askName());
  const answers: Record<string, string> = {};
  if (name === undefined) return undefined;
  for (const question of questions) {
    const answer: string | undefined = known[question] ?? (await askFor(question));
    if (answer === undefined) return undefined;
    answers[question] = answer;
  }
  const { database = '', logger = '', telemetry = '' } = answers;
  return { name, database, logger, telemetry };
}

async function askName(): Promise<string | undefined> {
  const answer = await text({
    message: 'What is the name of the service?',
    placeholder: 'order-book',
    validate: (value = '') => explainedProblemOfName(value),
  });
  return given(answer);
}

async function askFor(question: Question): Promise<string | undefined> {
  const known: Readonly<Record<string, Choice>> = choices[question];
  const options = Object.entries(known).map(([value, { label, hint }]) => ({ value, label, hint }));
  return given(await select({ message: titles[question], options }));
}

function given(answer: string | symbol): string | undefined {
  if (typeof answer === 'string') return answer;
  cancel('Cancelled. Nothing was written.');
  return undefined;
}
