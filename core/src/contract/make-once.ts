/**
 * Wraps `make` so that the first call makes the service and every later call returns it. For a service that the
 * container makes on request and that its plugin needs too:
 *
 * ```ts
 * register({ bind }) {
 *   const server = makeOnce((logger: Logger) => new Server(logger));
 *   bind(HttpServer).toResolvedValue(server, [Logger]).inSingletonScope();
 *   return { start: ({ container }) => server(container.get(Logger)).listen() };
 * },
 * ```
 */
export function makeOnce<Given extends readonly unknown[], Service extends object>(
  make: (...given: Given) => Service,
): (...given: Given) => Service {
  let made: Service | undefined;
  return (...given) => {
    made ??= make(...given);
    return made;
  };
}
