/**
 * The service that `make` makes from what it is given first, and the same one from then on. For a service that the
 * container makes when somebody asks for it, and that its plugin needs itself:
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
