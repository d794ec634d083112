#!/usr/bin/env node
// Written for any Node that supports modules, so that an old Node can still report that it is too old.
const needed = [22, 18];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  console.error(`A Keelson service needs Node >= ${needed.join('.')}; this is ${process.versions.node}.`);
  process.exitCode = 2;
} else {
  import('../dist/main.js');
}
