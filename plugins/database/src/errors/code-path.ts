const notTheirs =
  /node:|node_modules[\\/](?!@keelson)|[\\/](?:plugins[\\/]database|@keelson[\\/]database)[^\\/]*[\\/](?:dist|src)[\\/]/;

const withoutPlace = /^(?:new|async) Promise|^(?:.*\()?<anonymous>\)?$/;

/**
 * The first line of a stack that is neither of Node, of a library nor of this package: where the service did what an
 * error is about. Undefined when there is none.
 */
export function codePath(stack: string | undefined): string | undefined {
  return stack
    ?.split('\n')
    .filter(line => line.trimStart().startsWith('at '))
    .map(line => line.trim().slice('at '.length))
    .find(line => !notTheirs.test(line) && !withoutPlace.test(line));
}

/** Returns the code path of the caller's caller. */
export function callerPath(): string | undefined {
  return markCaller()();
}

/** The same, found only when it is asked for: what is marked on the way of all that goes well costs little. */
export function markCaller(): () => string | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const error = new Error();
  Error.stackTraceLimit = limit;
  return () => codePath(error.stack);
}
