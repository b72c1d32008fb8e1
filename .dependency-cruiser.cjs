// The direction of imports: what each folder may import besides itself and packages. A folder that is not listed may
// import nothing of the project, so a new one has to be placed here before it can be used.
const base = ['src/units', 'src/errors', 'src/text', 'src/source', 'src/omit', 'src/package-root', 'src/random'];
// What reads files that people write.
const reading = ['src/encoding', 'src/reason'];
const writing = ['src/whole-file', 'src/reason'];
const program = [...base, 'src/mesh', 'src/hardware', 'src/program'];
const mayImport = {
  'src/errors': [],
  'src/encoding': [],
  'src/reason': [],
  'src/text': [],
  'src/omit': [],
  'src/package-root': ['src/errors'],
  'src/random': [],
  'src/stops': [],
  'src/source': ['src/errors', 'src/text'],
  'src/units': ['src/errors'],
  'src/whole-file': ['src/errors', 'src/reason'],
  'src/mesh': base,
  'src/hardware': [...base, ...reading],
  'src/program': [...base, 'src/mesh', 'src/hardware'],
  'src/trace': program,
  'src/models': program,
  'src/job': [...program, ...reading, 'src/models', 'src/runtime/kernels/families'],
  'src/validate': [...program, ...reading, 'src/models', 'src/job'],
  'src/planner': [...program, 'src/models', 'src/job', 'src/trace'],
  'src/runtime': [...program, 'src/trace'],
  'src/train': [...program, ...reading, ...writing, 'src/models', 'src/job', 'src/trace', 'src/runtime'],
  'src/calibrate': [
    ...program,
    ...reading,
    ...writing,
    'src/validate',
    'src/models',
    'src/job',
    'src/trace',
    'src/runtime',
    'sim',
  ],
  'src/report': [...program, 'src/planner', 'src/trace', 'sim'],
  'src/tui': [...program, 'src/stops', 'src/models', 'src/job', 'src/trace', 'src/planner'],
  'src/cli': ['src', 'sim'],
  'src/index': ['src', 'sim'],
  sim: [...program, 'src/trace'],
};
const at = (paths) => paths.map((path) => `^${path}(/|\\.tsx?$)`);

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(mayImport).map(([folder, allowed]) => ({
      name: `direction-of-${folder}`,
      severity: 'error',
      from: { path: at([folder]) },
      to: { path: '^(src|sim)/', pathNot: at([folder, ...allowed]) },
    })),
    {
      name: 'every-folder-is-placed',
      severity: 'error',
      from: { path: '^(src|sim)/', pathNot: at(Object.keys(mayImport)) },
      to: { path: '^(src|sim)/' },
    },
    {
      name: 'engine-knows-no-machine-learning',
      severity: 'error',
      from: { path: '^sim/engine/' },
      to: { path: '^(src|sim)/', pathNot: at(['sim/engine', ...base]) },
    },
    {
      name: 'cost-is-pure',
      severity: 'error',
      from: { path: '^sim/cost/' },
      to: { path: '^sim/', pathNot: at(['sim/cost', 'sim/machine']) },
    },
    {
      name: 'tensor-libraries-in-kernels-only',
      severity: 'error',
      from: { path: '^(src|sim)/', pathNot: '^src/runtime/kernels/' },
      to: { path: 'node_modules/(onnxruntime|@tensorflow)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js'] },
  },
};
