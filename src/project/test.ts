/** Runs the tests of a repository's recipes: each builds, proves and measures, and writes no model. */
import { dirname, join, relative } from 'node:path';
import { readFileSync } from 'node:fs';
import { compile } from '../compile.ts';
import { Fault } from '../diagnostic.ts';
import { type BuildDocument } from '../document.ts';
import { inNewFolder } from '../imports/fetch.ts';
import { type Drift } from '../ir/proof.ts';
import { noTests } from '../messages/project.ts';
import { modelPath, type Project, readTests } from './project.ts';
import { type TestCase } from './schemas.ts';

export type CaseResult = {
	/** From the repository's folder. */
	readonly recipe: string;
	readonly model: string;
	readonly ok: boolean;
	/** What is not as the test says, a line each. */
	readonly problems: readonly string[];
	readonly removed: readonly number[];
	readonly drift?: Drift;
	readonly params?: readonly [before: number, after: number];
};

/** Runs every case in turn; `onResult` hears of each when it is done. Throws `Fault` when there is none. */
export async function testProject(
	project: Project,
	onResult: (result: CaseResult) => void,
): Promise<CaseResult[]> {
	const cases = project.recipes.flatMap((recipe) =>
		(readTests(recipe)?.cases ?? []).map((one) => ({ recipe, one })),
	);
	if (cases.length === 0) throw new Fault(noTests({ folder: project.folder }));
	return inNewFolder(async (scratch) => {
		const results: CaseResult[] = [];
		for (const { recipe, one } of cases) {
			const result = await runCase(project, recipe, one, scratch);
			onResult(result);
			results.push(result);
		}
		return results;
	});
}

async function runCase(
	project: Project,
	recipe: string,
	one: TestCase,
	scratch: string,
): Promise<CaseResult> {
	const name = { recipe: relative(project.folder, recipe), model: one.model };
	try {
		const document = await compile({
			recipe: readFileSync(recipe, 'utf8'),
			recipePath: recipe,
			model: modelPath(project, one.model, scratch),
			...(one.params && { params: one.params }),
			...(one.shapes && { shapes: new Map(Object.entries(one.shapes)) }),
			...(one.data !== undefined && { data: join(dirname(recipe), one.data) }),
			...(one.seed !== undefined && { seed: one.seed }),
			...(one.samples !== undefined && { samples: one.samples }),
		});
		return judge(name, one, document);
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		return {
			...name,
			ok: false,
			problems: problem.diagnostics.map(({ code, message }) => `${code}: ${message}`),
			removed: [],
		};
	}
}

function judge(name: { recipe: string; model: string }, one: TestCase, document: BuildDocument): CaseResult {
	const errors = document.diagnostics.filter(({ severity }) => severity === 'error');
	const removed = document.steps.map(({ selected }) => selected);
	const [before, after] = [document.model?.params, document.output?.params];
	const problems = errors.map(({ code, message }) => `${code}: ${message}`);
	if (errors.length === 0) {
		if (removed.join(' ') !== one.removes.join(' '))
			problems.push(`removes ${removed.join(', ')}, not ${one.removes.join(', ')}`);
		if (one.params_after !== undefined && (after ?? 0) > one.params_after)
			problems.push(`has ${after ?? 0} parameters, more than ${one.params_after}`);
		problems.push(...tooFar(one.drift ?? {}, document.drift));
	}
	return {
		...name,
		...{ ok: problems.length === 0 && document.ok, problems, removed },
		...(document.drift && { drift: document.drift }),
		...(before !== undefined && after !== undefined && { params: [before, after] as const }),
	};
}

function tooFar(limits: NonNullable<TestCase['drift']>, drift: Drift | undefined): string[] {
	const measured = {
		cosine: drift?.cosine,
		top1: drift?.top1Agreement,
		kl: drift?.kl,
		relativeL2: drift?.relativeL2,
	};
	return (Object.entries(limits) as [keyof typeof measured, number][]).flatMap(([name, limit]) => {
		const value = measured[name];
		const least = name === 'cosine' || name === 'top1';
		if (value !== undefined && (least ? value >= limit : value <= limit)) return [];
		return [`${name} is ${value?.toPrecision(4) ?? 'not measured'}, ${least ? 'below' : 'above'} ${limit}`];
	});
}
