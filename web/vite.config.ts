import { defineConfig } from "vite";

// For work on the page: SLIPWAY=http://127.0.0.1:7080 npm run dev
const slipway = process.env.SLIPWAY ?? "http://127.0.0.1:7080";

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  // Nothing is inlined: the page's policy allows what comes from files of its own, and nothing else.
  build: { target: "es2021", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: { proxy: Object.fromEntries(["/api", "/apis", "/watch", "/logs", "/metrics", "/version", "/v2", "/tests", "/findings"].map((path) => [path, slipway])) },
});
