import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Tests start processes and read hundreds of megabytes: two at a time suit a small machine.
    pool: "forks",
    maxWorkers: 2,
  },
});
