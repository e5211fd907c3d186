/**
 * What every structure gives on every model of a folder: each statement built, proven and timed; as Markdown.
 *
 *     npm run zoo -- docs/structures-zoo.md <folder or model>…
 *
 * Results are kept beside the page as they come in (`<page>.jsonl`): a run that was stopped goes on, and new statements alone are built.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sourcesIn } from './sources.ts';
import { structuresPage, type Measured } from './structures-page.ts';
import { everything } from './everything.ts';
import { modelsIn, Trials } from './trials.ts';

/** What one statement may take. */
const seconds = 120;

const [page = '', ...paths] = process.argv.slice(2);
const program = { path: fileURLToPath(new URL('measure-one.ts', import.meta.url)), seconds };
const trials = new Trials<Measured>(page, program);
const sources = sourcesIn(paths);
const statements = everything.map(({ statement }) => statement);

for (const path of modelsIn(paths)) {
	await trials.build(path, statements);
	writeFileSync(page, structuresPage(everything, trials.results, sources, seconds));
}
