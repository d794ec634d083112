import { defineConfig } from 'vitest/config';

/** The long form of the suite: `npm run topologies`. */
export default defineConfig({
  test: {
    include: ['test/topologies/long-form.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
