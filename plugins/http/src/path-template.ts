/** The names in a path: `id` and `line` of `/:id/lines/:line`. */
export type PathNames<Path extends string> = Path extends `${infer Head}/${infer Rest}`
  ? PathNames<Head> | PathNames<Rest>
  : Path extends `:${infer Name}`
    ? Name
    : never;

const segment = /^(?:[A-Za-z0-9._~-]+|:[A-Za-z_][A-Za-z0-9_]*)$/;

/** True for `/`, and for segments that are plain text or one name each: all that every server and OpenAPI can express. */
export function isPathTemplate(path: string): boolean {
  return (
    path === '/' ||
    (path.startsWith('/') &&
      path
        .slice(1)
        .split('/')
        .every(part => segment.test(part)))
  );
}

/** The names in `path`, in their order. */
export function namesIn(path: string): readonly string[] {
  return path
    .split('/')
    .filter(part => part.startsWith(':'))
    .map(part => part.slice(1));
}

/** `/orders/{id}` for a route `/:id` that is mounted at `/orders`. */
export function openApiPath(...parts: readonly string[]): string {
  const segments = parts.flatMap(part => part.split('/')).filter(part => part !== '');
  return `/${segments.map(part => (part.startsWith(':') ? `{${part.slice(1)}}` : part)).join('/')}`;
}
