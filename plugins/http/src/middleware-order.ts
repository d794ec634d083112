import { type HttpHandler, KeelsonError, type MiddlewareOptions, type MiddlewareStage } from '@keelson/core';
import { isPathTemplate } from './path-template.js';

/** In the order in which a request passes them. */
export const middlewareStages: readonly MiddlewareStage[] = ['early', 'session', 'routes', 'late'];

export interface Middleware {
  readonly name: string;
  readonly stage: MiddlewareStage;
  /** Undefined: everywhere. */
  readonly path: string | undefined;
  readonly before: readonly string[];
  readonly handle: HttpHandler;
}

export type OrderedMiddleware = Readonly<Record<MiddlewareStage, readonly Middleware[]>>;

const nameForm = /^[\w./-]{1,100}$/;

/** The middleware of a service, as `HttpServer.use` takes it, for a server. */
export class MiddlewareList {
  readonly #added: Middleware[] = [];
  #ordered: OrderedMiddleware | undefined;

  /** @throws KeelsonError HTTP_MIDDLEWARE_LATE once the order is fixed. */
  add(handle: HttpHandler, { name, stage = 'routes', path, before = [] }: MiddlewareOptions): void {
    if (this.#ordered !== undefined) throw tooLate(name);
    this.#added.push({ name, stage, path, before: typeof before === 'string' ? [before] : before, handle });
  }

  /** Undefined until it is fixed. */
  get ordered(): OrderedMiddleware | undefined {
    return this.#ordered;
  }

  /**
   * Fixes the order: by stage, then by `before`, then by name.
   *
   * @throws KeelsonError HTTP_MIDDLEWARE_INVALID with all problems.
   */
  order(): OrderedMiddleware {
    if (this.#ordered !== undefined) return this.#ordered;
    const problems = problemsOf(this.#added);
    const ordered: Record<MiddlewareStage, readonly Middleware[]> = { early: [], session: [], routes: [], late: [] };
    for (const stage of problems.length === 0 ? middlewareStages : []) {
      const { sorted, circle } = sort(this.#added.filter(one => one.stage === stage));
      ordered[stage] = sorted;
      if (circle.length > 0) problems.push(`${circle.join(' before ')}: a cycle`);
    }
    if (problems.length > 0) throw invalid(problems);
    this.#ordered = ordered;
    return ordered;
  }
}

function problemsOf(added: readonly Middleware[]): string[] {
  const byName = new Map(added.map(one => [one.name, one]));
  const twice = new Set(added.filter(one => byName.get(one.name) !== one).map(({ name }) => name));
  return [...[...twice].map(name => `${name}: is used twice`), ...added.flatMap(one => ownProblems(one, byName))];
}

function ownProblems(
  { name, stage, path, before, handle }: Middleware,
  byName: ReadonlyMap<string, Middleware>,
): string[] {
  const problems: string[] = [];
  const at = middlewareStages.indexOf(stage);
  if (!nameForm.test(name)) problems.push('the name must be letters, digits and . _ / -');
  if (at === -1) problems.push(`the stage must be one of ${middlewareStages.join(', ')}`);
  if (path !== undefined && !isPathTemplate(path)) problems.push(`${path} is not a path`);
  if (handle.length > 3) problems.push('an error handler (four parameters) cannot be middleware');
  for (const other of before) {
    const target = byName.get(other);
    if (target === undefined) problems.push(`before ${other}: there is no such middleware`);
    else if (middlewareStages.indexOf(target.stage) < at)
      problems.push(`before ${other}: its stage ${target.stage} comes before the stage ${stage}`);
  }
  return problems.map(problem => `${name}: ${problem}`);
}

/** Those that nothing holds back come first, by name. What is left has a circle. */
function sort(stage: readonly Middleware[]): { readonly sorted: readonly Middleware[]; readonly circle: string[] } {
  const left = new Map(stage.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(one => [one.name, one]));
  const sorted: Middleware[] = [];
  while (left.size > 0) {
    const held = new Set([...left.values()].flatMap(({ before }) => before));
    const free = [...left.values()].find(({ name }) => !held.has(name));
    if (free === undefined) return { sorted, circle: circleIn(left) };
    left.delete(free.name);
    sorted.push(free);
  }
  return { sorted, circle: [] };
}

/** Every one of them is held back by another of them: going back from one to what holds it back leads into the circle. */
function circleIn(left: ReadonlyMap<string, Middleware>): string[] {
  const [first] = left.keys();
  const way: string[] = [];
  for (let name = first; name !== undefined; ) {
    const seen = way.indexOf(name);
    if (seen !== -1) return [...way.slice(seen), name].reverse();
    way.push(name);
    const at: string = name;
    name = [...left.values()].find(({ before }) => before.includes(at))?.name;
  }
  return way;
}

function invalid(problems: readonly string[]): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_MIDDLEWARE_INVALID',
    message: `The middleware has no valid order: ${problems.join('; ')}.`,
    hint: 'Change the options of http.use(handler, { name, stage, before, path }) in the plugins that add it.',
    facts: { problems },
  });
}

function tooLate(name: string): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_MIDDLEWARE_LATE',
    message: `The middleware ${name} was added after the service was ready: requests may have passed its stage.`,
    hint: 'Call http.use() in the start of a plugin that is not optional.',
    facts: { name },
  });
}
