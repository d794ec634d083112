import { registerHooks } from 'node:module';
import { type Mutation, mutations } from './mutations.ts';

/** @throws Error for a name that no mutation has. */
export function mutationCalled(name: string): Mutation {
  const found = mutations.find(mutation => mutation.name === name);
  if (found === undefined) throw new Error(`no mutation is called "${name}"`);
  return found;
}

/** From now on the built file is loaded with the bug in it. To be called before it is loaded; the file itself is not changed. */
export function plant({ file, find, replace }: Mutation): void {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.endsWith(file)) return loaded;
      const source = String(loaded.source);
      if (source.split(find).length !== 2)
        throw new Error(`${file} has the code of the mutation not exactly once: ${find}`);
      return { ...loaded, source: source.replace(find, () => replace) };
    },
  });
}
