/** The report's style sheet. All colours are here, in light and in dark; figures name them. Paper is light. */

/** Hues that people with the usual kinds of colour blindness tell apart, after Okabe and Ito (2008), and shades of them. */
const LIGHT: Readonly<Record<string, string>> = {
  page: '#f5f6f8',
  card: '#ffffff',
  ink: '#1c2128',
  'ink-2': '#57606a',
  line: '#d5dae1',
  weak: '#b9c4d099',
  accent: '#0b62a8',
  bad: '#b3261e',
  'on-colour': '#ffffff',
  'c-matmul': '#0072b2',
  'c-memory': '#d9820b',
  'c-vector': '#8a5fb0',
  'c-overhead': '#7d8590',
  'c-optimizer': '#3c8d5a',
  'c-contention': '#a8640a',
  'c-kernel': '#0072b2',
  'c-forward': '#3a8fc4',
  'c-backward': '#6b4fa0',
  'c-backward-input': '#6b4fa0',
  'c-backward-weight': '#a384c9',
  'c-start': '#7d8590',
  'c-finish': '#3c8d5a',
  'c-host': '#454c55',
  'c-data': '#009e86',
  'c-model': '#c8373f',
  'c-pipe': '#8a5a33',
  'c-replica': '#c05a96',
  'c-sequence': '#7c8a12',
  'c-bubble': '#dfe3e8',
  'c-other': '#9aa3ad',
  'c-bound': '#454c55',
  'c-weak': '#b9c4d0',
  'c-link': '#0072b2',
  'c-role-parameter': '#0072b2',
  'c-role-optimizer': '#3c8d5a',
  'c-role-gradient': '#8a5fb0',
  'c-role-input': '#7d8590',
  'c-role-activation': '#d9820b',
  'c-predicted': '#0072b2',
  'c-measured': '#d9820b',
  'c-again': '#3c8d5a',
  'c-slower': '#c8373f',
  'c-faster': '#009e86',
  'c-part-kernels': '#0072b2',
  'c-part-collectives': '#c8373f',
  'c-part-host': '#454c55',
  'c-part-waits': '#dfe3e8',
  'c-front': '#0072b2',
  'c-own': '#c8373f',
  'c-u0': '#dfe3e8',
  'c-u1': '#a9cbe6',
  'c-u2': '#4f97c9',
  'c-u3': '#e3b32f',
  'c-u4': '#dd7a1c',
  'c-u5': '#b3261e',
};

const DARK: Readonly<Record<string, string>> = {
  ...LIGHT,
  page: '#0f1318',
  card: '#171c23',
  ink: '#e8ecf1',
  'ink-2': '#a2adb9',
  line: '#333b46',
  weak: '#4a566599',
  accent: '#6cb6ff',
  bad: '#ff8a80',
  'c-matmul': '#3d96d8',
  'c-memory': '#e69f2e',
  'c-vector': '#b08ad6',
  'c-overhead': '#8b949e',
  'c-optimizer': '#57b57c',
  'c-contention': '#c98a2b',
  'c-kernel': '#3d96d8',
  'c-forward': '#5fb3ea',
  'c-backward': '#9c82d4',
  'c-backward-input': '#9c82d4',
  'c-backward-weight': '#6f5aa3',
  'c-start': '#8b949e',
  'c-finish': '#57b57c',
  'c-host': '#c3cad3',
  'c-data': '#26b8a0',
  'c-model': '#ee6a70',
  'c-pipe': '#b98255',
  'c-replica': '#dd80b6',
  'c-sequence': '#a9b737',
  'c-bubble': '#2a313b',
  'c-other': '#7d8590',
  'c-bound': '#c3cad3',
  'c-weak': '#4a5665',
  'c-link': '#3d96d8',
  'c-role-parameter': '#3d96d8',
  'c-role-optimizer': '#57b57c',
  'c-role-gradient': '#b08ad6',
  'c-role-input': '#8b949e',
  'c-role-activation': '#e69f2e',
  'c-predicted': '#3d96d8',
  'c-measured': '#e69f2e',
  'c-again': '#57b57c',
  'c-slower': '#ee6a70',
  'c-faster': '#26b8a0',
  'c-part-kernels': '#3d96d8',
  'c-part-collectives': '#ee6a70',
  'c-part-host': '#c3cad3',
  'c-part-waits': '#2a313b',
  'c-front': '#3d96d8',
  'c-own': '#ee6a70',
  'c-u0': '#2a313b',
  'c-u1': '#2f5270',
  'c-u2': '#3d96d8',
  'c-u3': '#e3c04f',
  'c-u4': '#ee9240',
  'c-u5': '#ff6b60',
};

const variables = (of: Readonly<Record<string, string>>): string =>
  Object.entries(of)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

export const STYLE = `
:root { color-scheme: light; ${variables(LIGHT)} }
@media screen and (prefers-color-scheme: dark) { :root { color-scheme: dark; ${variables(DARK)} } }
* { box-sizing: border-box }
html { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--page); color: var(--ink) }
main, header.top, footer { max-width: 1140px; margin: 0 auto; padding: 0 20px }
header.top { padding-top: 28px }
h1 { font-size: 1.65rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 44px 0 2px; padding-top: 20px; border-top: 2px solid var(--line); overflow-wrap: anywhere }
h3 { font-size: 1.1rem; margin: 28px 0 8px }
h4 { font-size: 1rem; margin: 0 }
p { margin: 6px 0 }
a { color: var(--accent) }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere }
.source, .shows, figcaption, footer, .tile small { color: var(--ink-2) }
nav { margin: 14px 0; display: flex; flex-wrap: wrap; gap: 4px 16px }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 10px; margin: 16px 0 10px; padding: 0 }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px }
.tile dt { color: var(--ink-2); font-size: .87rem }
.tile dd { margin: 0; font-size: 1.5rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums }
.tile small { display: block; font-size: .84rem; font-weight: 400; line-height: 1.35 }
.tile.bad dd { color: var(--bad) }
.bad { color: var(--bad) }
figure, .card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; margin: 0 0 14px }
figure { overflow: hidden }
.shows { margin: 2px 0 6px }
figcaption { font-size: .87rem; margin-top: 4px }
.drawing { width: 100% }
.wide { overflow-x: auto }
.wide .drawing { min-width: 720px }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 4px 0; padding: 0; font-size: .87rem }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; border: 1px solid var(--line) }
.zoom { display: flex; flex-wrap: wrap; gap: 4px; margin: 6px 0 }
.zoom button { font: inherit; font-size: .85rem; padding: 1px 9px; color: var(--ink); background: var(--page); border: 1px solid var(--line); border-radius: 5px; cursor: pointer }
.zoom button:hover { border-color: var(--ink-2) }
details { margin-top: 8px; font-size: .9rem }
summary { cursor: pointer; color: var(--accent); width: fit-content }
.scroll { overflow-x: auto }
table { border-collapse: collapse; margin: 8px 0; font-size: .9rem }
th, td { text-align: left; vertical-align: top; padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line) }
th { color: var(--ink-2); font-weight: 600 }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
dl.words { display: grid; grid-template-columns: fit-content(34%) 1fr; gap: 6px 18px; margin: 8px 0 }
dl.words dt { font: .9em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere }
dl.words dd { margin: 0 }
.tip { font-size: 13px; line-height: 1.4 }
.tip div:first-child { font-weight: 600 }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
footer { padding-top: 8px; padding-bottom: 40px; font-size: .87rem }
@media (max-width: 620px) {
  main, header.top, footer { padding-left: 12px; padding-right: 12px }
  .tiles { grid-template-columns: 1fr 1fr; gap: 8px }
  .tile { padding: 8px 10px }
  .tile dd { font-size: 1.25rem }
  figure, .card { padding: 10px 10px }
  th, td { padding-right: 9px }
  th.n { white-space: normal }
  td:first-child { overflow-wrap: anywhere; min-width: 9ch }
  th:last-child, td:last-child { padding-right: 0 }
  dl.words { grid-template-columns: 1fr; gap: 0 }
  dl.words dd { margin-bottom: 8px }
}
@media print {
  @page { margin: 12mm }
  html { font-size: 12px }
  body { background: none }
  main, header.top, footer { max-width: none; padding: 0 }
  nav, .zoom, details:not([open]) { display: none }
  figure, .card, .tile { break-inside: avoid; border-color: #bbb }
  .wide { overflow: visible }
  .wide .drawing { min-width: 0 }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
`;
