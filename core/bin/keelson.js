#!/usr/bin/env node
// Written for any Node that supports modules, so that an old Node can still report that it is too old.
const needed = [22, 17];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  console.error(`Keelson needs Node >= ${needed.join('.')}; this is ${process.versions.node}, at ${process.execPath}.`);
  process.exitCode = 2;
} else {
  import('node:module').then(({ enableCompileCache }) => {
    // A second start need not compile the same modules again.
    enableCompileCache();
    return import('../dist/cli/main.js');
  });
}
