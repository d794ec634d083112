import type { OperationCall, OperationDone, Refusal } from '../src/model.ts';

/** The answer of the console to a request that failed. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(status: number, { code, message, hint }: Refusal) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

const timeoutMs = 5_000;
const changeTimeoutMs = 40_000;

/** Reads `/console/api/<path>` of an instance. Rejects with `Refused`, or when there is no answer. */
export async function read<Answer>(
  path: string,
  parameters: Readonly<Record<string, string | number>> = {},
): Promise<Answer> {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
  const response = await fetch(`/console/api/${path}?${query}`, {
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(timeoutMs),
  });
  return resultOf<Answer>(response);
}

export function operate(instance: string, call: OperationCall): Promise<OperationDone> {
  return post<OperationDone>(`operations?instance=${encodeURIComponent(instance)}`, call);
}

export function logIn(token: string): Promise<object> {
  return post('login', { token });
}

export function logOut(): Promise<object> {
  return post('logout', {});
}

async function post<Answer>(path: string, body: object): Promise<Answer> {
  const response = await fetch(`/console/api/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-keelson-console': '1' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(changeTimeoutMs),
  });
  return resultOf<Answer>(response);
}

async function resultOf<Answer>(response: Response): Promise<Answer> {
  const answer: unknown = await response.json();
  if (!response.ok) throw new Refused(response.status, refusalIn(answer, response.status));
  return answer as Answer;
}

function refusalIn(answer: unknown, status: number): Refusal {
  if (typeof answer === 'object' && answer !== null && 'code' in answer && 'message' in answer) {
    const hint = 'hint' in answer ? { hint: String(answer.hint) } : {};
    return { code: String(answer.code), message: String(answer.message), ...hint };
  }
  return { code: String(status), message: `The console answered with ${status}.` };
}
