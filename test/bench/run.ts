// `npm run bench`: see docs of the flags in options.ts. Runs as Node runs it, without a build.
import './resolve-sources.ts';

// Only now: what it imports needs the file above.
const { main } = await import('./main.js');
process.exitCode = await main(process.argv.slice(2));
