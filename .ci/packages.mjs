// Makes what is published: `node .ci/packages.mjs [folder]`, into `build/packages` when no folder is given. Each package has the
// files that npm would pack, but its code is a few files in place of one for each source. docs/adr/0050 has the reasons.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, posix, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
/** What becomes part of the bundle of a package: 243 files, which work beside another copy of themselves. */
const included = { core: /^(@inversifyjs\/|inversify$)/ };
const target = resolve(process.argv[2] ?? join(root, 'build/packages'));

rmSync(target, { recursive: true, force: true });
const packages = listPackages();
for (const one of packages) await makePackage(one);
// Workspaces, so that npm and lerna publish from here as from the repository.
writeJson(join(target, 'package.json'), { private: true, workspaces: packages.map(({ folder }) => folder) });
cpSync(join(root, 'lerna.json'), join(target, 'lerna.json'));
for (const { name, folder } of packages) link(name, join(target, folder));

/** The packages, and the files of each that npm would pack. Runs their scripts `prepack`. */
function listPackages() {
  const folders = globSync(readJson(join(root, 'lerna.json')).packages, { cwd: root })
    .filter(folder => existsSync(join(root, folder, 'package.json')))
    .map(folder => posix.normalize(folder))
    .sort();
  const words = ['pack', '--dry-run', '--json', ...folders.flatMap(folder => ['--workspace', folder])];
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26, shell: process.platform === 'win32' };
  const packed = JSON.parse(execFileSync('npm', words, { ...options, stdio: ['ignore', 'pipe', 'inherit'] }));
  return folders.map(folder => {
    const { name } = readJson(join(root, folder, 'package.json'));
    const files = packed.find(each => each.name === name).files.map(({ path }) => path);
    return { name, folder, files };
  });
}

async function makePackage({ folder, files }) {
  const from = join(root, folder);
  const to = join(target, folder);
  const compiled = new Set(files.filter(file => /^dist\/.*\.js$/.test(file) && files.includes(typesOf(file))));
  for (const file of files) {
    if (!compiled.has(file.replace(/\.map$/, ''))) cpSync(join(from, file), join(to, file));
  }
  const { scripts: _, devDependencies: __, ...contents } = readJson(join(from, 'package.json'));
  writeJson(join(to, 'package.json'), contents);
  // What npm has installed for this package alone.
  const own = join(from, 'node_modules');
  if (existsSync(own)) symlinkSync(own, join(to, 'node_modules'), 'junction');
  const modules = await bundle(from, to, { entries: entriesOf(from, contents, compiled), includes: included[folder] });
  writeLicenses(join(to, 'dist/INCLUDED-LICENSES.txt'), modules);
}

function typesOf(file) {
  return file.replace(/\.js$/, '.d.ts');
}

/** The compiled files that are loaded by their names: by `exports`, by a program, or as a process of their own. */
function entriesOf(from, { exports, bin = {} }, compiled) {
  const programs = Object.values(bin).map(file => posix.normalize(file));
  const named = [...programs, ...compiled].flatMap(file => {
    const pattern = programs.includes(file)
      ? /import\('(\.[^']+)'\)/g
      : /new URL\('(\.[^']+\.js)', import\.meta\.url\)/g;
    return [...readFileSync(join(from, file), 'utf8').matchAll(pattern)].map(([, path]) =>
      posix.join(dirname(file), path),
    );
  });
  const exported = Object.values(exports).flatMap(each => (each.default ? [posix.normalize(each.default)] : []));
  return [...new Set([...exported, ...named])].filter(file => compiled.has(file));
}

/** Bundles what the compiler has made, and returns the modules that became part of it. All entries share their code, so that each class and token exists once in a package. */
async function bundle(from, to, { entries, includes }) {
  const dist = join(from, 'dist');
  const made = await rolldown({
    cwd: from,
    input: Object.fromEntries(entries.map(file => [file.replace(/^dist\/|\.js$/g, ''), join(from, file)])),
    external: id => !id.startsWith('.') && !isAbsolute(id) && !includes?.test(id),
    platform: 'node',
    plugins: [{ name: 'compiled', load: loadCompiled }],
    // Its warnings are about imports that load early what another module has loaded already.
    logLevel: 'silent',
  });
  // As if written beside the sources: the maps then name these as they do in the repository.
  const { output } = await made.generate({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    sourcemap: true,
  });
  for (const { fileName, code, source } of output) {
    const file = join(to, 'dist', fileName);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code === undefined ? source : resolvePlaces(code, dirname(join(dist, fileName))));
  }
  return output.flatMap(({ moduleIds = [] }) => moduleIds);
}

/** Writes the licences of the packages in `node_modules` that `modules` are of; nothing when there are none. */
function writeLicenses(file, modules) {
  const folders = new Set(
    modules.flatMap(path => /.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path.replaceAll('\\', '/')) ?? []),
  );
  const texts = [...folders].sort().map(folder => {
    const { name, version } = readJson(join(folder, 'package.json'));
    return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}\n`;
  });
  if (texts.length > 0) writeFileSync(file, texts.join(`\n${'-'.repeat(80)}\n\n`));
}

/**
 * A module, and the map of the compiler. A path beside a module is relative to the folder that the compiler wrote it to, and not to
 * that of the bundle, so it is marked.
 */
function loadCompiled(path) {
  const code = readFileSync(path, 'utf8').replace(
    /new URL\('(\.[^']*)', import\.meta\.url\)/g,
    (_, beside) => `new URL('place:${new URL(beside, pathToFileURL(path))}', import.meta.url)`,
  );
  // The maps of other packages name sources that are not installed.
  return compiledHere(path) ? { code, map: readFileSync(`${path}.map`, 'utf8') } : { code };
}

function compiledHere(path) {
  return !path.includes('node_modules');
}

function resolvePlaces(text, folder) {
  return text.replace(/(?<=new URL\(["'])place:([^"']*)/g, (_, url) => {
    const path = relative(folder, fileURLToPath(url)).replaceAll('\\', '/') + (url.endsWith('/') ? '/' : '');
    return path.startsWith('.') ? path : `./${path}`;
  });
}

/** Makes the packages find each other, so that a service beside them can run as after an installation. */
function link(name, folder) {
  const place = join(target, 'node_modules', name);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(folder, place, 'junction');
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
