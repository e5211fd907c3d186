/** `test` and `index`: commands on repositories of recipes. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { indexStale } from '../messages/project.ts';
import { indexFiles } from '../project/index.ts';
import { type Project, readProject, YamlFault } from '../project/project.ts';
import { type CaseResult, testProject } from '../project/test.ts';
import { complain, print, printJson, type Flags, type Status } from './shared.ts';

/** Runs the tests of a repository: a line a case, and a summary. */
export async function test(folder: string, flags: Flags): Promise<Status> {
	return withProject(folder, flags, async (project) => {
		const tell = (result: CaseResult): void => {
			if (flags.json !== true) print(lineOf(result));
		};
		const cases = await testProject(project, tell);
		const failed = cases.filter(({ ok }) => !ok).length;
		if (flags.json === true)
			printJson({ ...{ schema: 'prunec/test@1', ok: failed === 0, cases }, diagnostics: [] });
		else print(`\n${cases.length - failed} passed, ${failed} failed`);
		return failed === 0 ? 0 : 1;
	});
}

function lineOf({ recipe, model, ok, problems, removed, drift, params }: CaseResult): string {
	const size =
		params === undefined ? '' : `; ${((1 - params[1] / params[0]) * 100).toFixed(1)} % fewer parameters`;
	const far = drift === undefined ? '' : `; cosine ${drift.cosine.toFixed(4)}`;
	const head = `${ok ? 'ok    ' : 'FAILED'}  ${recipe} on ${model}: removes ${removed.join(', ') || 'nothing'}${size}${far}`;
	return [head, ...problems.map((problem) => `        ${problem}`)].join('\n');
}

/** Writes the index of a repository; with --check, says whether it is right. */
export async function index(folder: string, flags: Flags): Promise<Status> {
	return withProject(folder, flags, (project) => {
		const stale = [...indexFiles(project)].filter(
			([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text,
		);
		if (flags.check === true && stale.length > 0) {
			complain([indexStale({ files: stale.map(([path]) => path) })]);
			return 1;
		}
		for (const [path, text] of stale) {
			writeFileSync(path, text);
			print(`wrote ${path}`);
		}
		return 0;
	});
}

async function withProject(
	folder: string,
	flags: Flags,
	work: (project: Project) => Promise<Status> | Status,
): Promise<Status> {
	try {
		return await work(readProject(folder));
	} catch (problem) {
		if (!(problem instanceof YamlFault)) throw problem;
		const { diagnostics, path, text } = problem;
		if (flags.json === true)
			printJson({ ...{ schema: 'prunec/test@1', ok: false }, diagnostics }, { text, path });
		else complain(diagnostics, { text, path });
		return 1;
	}
}
