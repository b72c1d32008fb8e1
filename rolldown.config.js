/**
 * Two bundles. The UI in one file, so that it opens at once: hundreds of small modules take longer to find and read than to run. What is
 * imported when it is needed (a search, a training run) stays outside, beside it, as do the modules that others must share:
 * an error is known by its class. And the script of the report's page, which has nothing else to load it from.
 */
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('dist/src/', import.meta.url));
const SHARED = [`${dist}errors.js`];

/** @param {string} input @param {string} file */
export const bundle = (input, file) => ({
  input,
  platform: 'node',
  // Ink's development tools, which are not installed.
  external: (id) => id === 'react-devtools-core' || SHARED.includes(id),
  transform: { define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' } },
  treeshake: true,
  plugins: [
    {
      name: 'imported-when-needed',
      resolveDynamicImport: (specifier) => (typeof specifier === 'string' ? { id: specifier, external: true } : null),
    },
  ],
  output: { file, format: 'esm', minify: true, codeSplitting: false, comments: false },
});

const page = {
  input: fileURLToPath(new URL('src/report/page/draw.ts', import.meta.url)),
  platform: 'browser',
  transform: { target: 'es2022', define: { 'process.env.NODE_ENV': '"production"' } },
  output: {
    file: fileURLToPath(new URL('dist/report-page.js', import.meta.url)),
    format: 'iife',
    minify: true,
    comments: false,
  },
};

export default [bundle(`${dist}cli/ui.js`, `${dist}cli/ui.bundle.js`), page];
