// Writes docs/api: one page for each entry of each package, from the docstrings in the built types.
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import {
  Application,
  DeclarationReflection,
  type ProjectReflection,
  ReflectionKind,
  SignatureReflection,
} from 'typedoc';
import type { PluginOptions } from 'typedoc-plugin-markdown';
import { anchorOf } from './markdown.ts';
import { publishedPackages, root } from './packages.ts';

const out = join(root, 'docs/api');

const names = new Map(
  publishedPackages().flatMap(({ name, folder, entries }) =>
    entries
      // A manifest has the options of its plugin and no API: the README has their table.
      .filter(([entry]) => entry !== './manifest')
      .map(([entry, types]) => [join(root, folder, types), posix.join(name, entry)] as const),
  ),
);

const markdown: Partial<PluginOptions> = {
  router: 'module',
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  expandObjects: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  tableColumnSettings: { hideSources: true, hideInherited: true },
};

const application = await Application.bootstrapWithPlugins({
  plugin: ['typedoc-plugin-markdown'],
  entryPoints: [...names.keys()],
  tsconfig: join(root, 'docs/tsconfig.api.json'),
  name: 'API',
  outputs: [{ name: 'markdown', path: out }],
  readme: 'none',
  disableGit: true,
  sourceLinkTemplate: '{path}',
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  excludeNotDocumented: false,
  githubPages: false,
  logLevel: 'Error',
  validation: false,
  // `tsc -b` has checked the types. TypeDoc reads them with an older compiler than theirs.
  skipErrorChecking: true,
  ...markdown,
});
const project = await application.convert();
if (project === undefined) throw new Error('TypeDoc could not read the types. Run `npm run build` first.');
nameModules(project);
withoutSources(project);
rmSync(out, { recursive: true, force: true });
await application.generateOutputs(project);
mendFragments();

/**
 * TypeDoc counts a name that is both a type and a constant twice, also where the page has one heading for both. A link to
 * the second leads to the first then.
 */
function mendFragments(): void {
  const pages = globSync('**/*.md', { cwd: out }).map(name => join(out, name));
  const headings = new Map(pages.map(page => [page, headingsOf(page)]));
  for (const page of pages) {
    const text = readFileSync(page, 'utf8').replaceAll(
      /\]\(([^()\s#]*)#([\w-]+)-(\d+)\)/g,
      (link, path, name, number) => {
        const target = path === '' ? page : join(dirname(page), path);
        const count = headings.get(target)?.filter(heading => heading === name).length ?? 0;
        return count > 0 && count <= Number(number) ? `](${path}#${name})` : link;
      },
    );
    writeFileSync(page, text);
  }
}

function headingsOf(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

/** Modules have the names that users import, not those of files. */
function nameModules({ children = [] }: ProjectReflection): void {
  for (const module of children) {
    if (!module.kindOf(ReflectionKind.Module)) continue;
    const file = module.sources?.[0]?.fullFileName;
    const name = file && names.get(file);
    if (name === undefined) throw new Error(`No entry of a package is ${file}.`);
    module.name = name;
  }
}

/** A page says nothing of files: users have the built ones only. */
function withoutSources({ reflections }: ProjectReflection): void {
  for (const reflection of Object.values(reflections)) {
    if (reflection instanceof DeclarationReflection || reflection instanceof SignatureReflection) {
      delete reflection.sources;
    }
  }
}
