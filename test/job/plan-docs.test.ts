/** The table in docs/plan.md is what `PLAN_OPTIONS` says. `npm run docs` writes it anew. */
import { expect, test } from 'vitest';
import { PLAN_OPTIONS, PLAN_OPTION_NAMES, describeDefault, planPlace, planWord } from '../../src/job/index.js';
import type { PlanOptionName } from '../../src/job/index.js';
import { expectWritten } from '../helpers/document.js';

function row(name: PlanOptionName): string {
  const option = PLAN_OPTIONS[name];
  const { about, form } = option;
  const inYaml = planPlace(name).replace('plan.', '');
  const source = 'source' in option ? ` (${option.source})` : '';
  const usual = 'default' in option ? `\`${describeDefault(name)}\`` : describeDefault(name);
  const word = name === 'mesh' ? 'data=…,model=…' : `${planWord(name)}=…`;
  const cells = [`\`${inYaml}\``, `\`${word}\``, form.values.replaceAll('*', '\\*'), usual, about + source];
  return `| ${cells.join(' | ')} |`;
}

const table = (): string =>
  [
    '| in YAML | short form | values | default | what it is |',
    '| --- | --- | --- | --- | --- |',
    ...PLAN_OPTION_NAMES.map(row),
  ].join('\n');

test('docs/plan.md lists every option as the table of options has it', () =>
  expectWritten('docs/plan.md', (written) => {
    const withTable = written.replace(
      /(<!-- options:.*? -->\n)[^]*(<!-- end of options -->)/,
      (_, before: string, after: string) => `${before}\n${table()}\n\n${after}`,
    );
    expect(withTable).toContain(table());
    return withTable;
  }));
