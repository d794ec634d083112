import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** Returns what GitHub itself finds wrong in a workflow. `folder` takes a bundle: the parser imports JSON as only bundlers know it. */
export async function workflowErrors(content: string, folder: string): Promise<readonly string[]> {
  const outfile = join(folder, 'workflow-parser.mjs');
  await build({ entryPoints: ['@actions/workflow-parser'], bundle: true, platform: 'node', format: 'esm', outfile });
  const parser: typeof import('@actions/workflow-parser') = await import(pathToFileURL(outfile).href);
  const { context } = parser.parseWorkflow({ name: 'ci.yml', content }, new parser.NoOperationTraceWriter());
  return context.errors.getErrors().map(({ message }) => message);
}
