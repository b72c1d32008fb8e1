import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const noTensorLibraries = {
  group: ['onnxruntime-node', 'onnxruntime-common', '@tensorflow/*'],
  message: 'tensor libraries only under src/runtime/kernels',
};

/** Style and determinism. The direction of imports between folders is checked by .dependency-cruiser.cjs. */
export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'runs', 'coverage'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ['**/*.ts', '**/*.tsx'],
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      'no-restricted-imports': ['error', { patterns: [noTensorLibraries] }],
    },
  },
  { files: ['src/runtime/kernels/**', 'test/runtime/kernels/**'], rules: { 'no-restricted-imports': 'off' } },
  {
    files: ['sim/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'a simulation is deterministic: use a seeded generator' },
      ],
      'no-restricted-globals': ['error', 'performance', 'Date', 'setTimeout', 'setImmediate'],
    },
  },
  { files: ['**/*.cjs'], languageOptions: { globals: { module: 'writable', require: 'readonly' } } },
);
