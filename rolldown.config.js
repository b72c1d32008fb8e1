/**
 * The UI, the command `plan` and a search's workers in one file each, so that they begin at once: hundreds of small modules
 * take longer to find and read than to run. What is imported when it is needed (a search of the UI, a training run) stays
 * outside, beside it, as do the modules that others must share: an error is known by its class. And the script of the
 * report's page, which has nothing else to load it from.
 */
import { fileURLToPath, URL } from 'node:url';

const dist = fileURLToPath(new URL('dist/src/', import.meta.url));
const SHARED = [`${dist}errors.js`];
/** Ink's development tools, which are not installed; and packages that look for files beside themselves. */
const PACKAGES = ['react-devtools-core', 'piscina', 'sharp'];

/** @param {string} input @param {string} file */
export const bundle = (input, file) => ({
  input,
  platform: 'node',
  external: (id) => PACKAGES.includes(id) || SHARED.includes(id),
  transform: { define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' } },
  // What is outside is loaded by whoever uses it.
  treeshake: { moduleSideEffects: [{ external: true, sideEffects: false }] },
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

export default [
  ...['ui', 'planning', 'search-lane-worker'].map((name) =>
    bundle(`${dist}cli/${name}.js`, `${dist}cli/${name}.bundle.js`),
  ),
  page,
];
