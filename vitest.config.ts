import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    setupFiles: ['test/helpers/home.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: suites that start ranks of their own would only take them from each other.
    maxWorkers: 2,
  },
});
