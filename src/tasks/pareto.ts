/** Points of a curve: a recipe built at one setting of its parameters, measured, and remembered under a hash of all that it depends on. */
import { createHash } from 'node:crypto';
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../files/cache.ts';
import { loadModel } from '../backends/onnx/load.ts';
import { checkedRecipe } from '../build/checked-recipe.ts';
import { compile } from '../compile.ts';
import { Fault } from '../diagnostic.ts';
import { type BuildDocument, type CompileOptions } from '../document.ts';
import { evaluateModels, saidBy } from './evaluate.ts';
import { type CurvePoint } from '../report/pareto.ts';
import { type Point } from './sweep.ts';
import { version } from '../version.ts';

/** What all points of a curve have in common. */
export type CurveTask = Omit<CompileOptions, 'params' | 'out'>;
export type Stored = CurvePoint & { readonly schema: 'prunec/point@1'; readonly hash: string };

/** Where points lie when no folder is named: a cache, safe to delete. */
export function pointsCache(): string {
	return cacheFolder('points');
}

/** By version, recipe with its imports, contents of model and data, sizes, seed, samples, threads, and parameters. Throws `Fault` for a recipe that is wrong. */
export async function hashOf(task: CurveTask, params: Point): Promise<string> {
	const { recipe, frame, diagnostics } = checkedRecipe({ ...task, params });
	if (recipe === undefined) throw new Fault(...diagnostics);
	const loaded = loadModel(task.model);
	try {
		const paths = [task.data ?? recipe.calibrate?.path, recipe.evaluate?.path];
		const said = {
			version: version(),
			recipe: frame.recipe.sha256,
			model: await loaded.file.sha256(),
			data: paths.map((path) => (path === undefined ? '' : contentHash(path))),
			options: [[...(task.shapes ?? [])], task.seed, task.samples, task.threads, task.verify],
			params: Object.entries(params).sort(),
		};
		return createHash('sha256').update(JSON.stringify(said)).digest('hex').slice(0, 32);
	} finally {
		loaded.file.close();
	}
}

/** Of a file, or of everything in a folder with its names. Empty where there is nothing. */
function contentHash(path: string): string {
	const kind = statSync(path, { throwIfNoEntry: false });
	if (kind === undefined) return '';
	const hash = createHash('sha256');
	if (kind.isDirectory())
		for (const name of readdirSync(path).sort()) hash.update(`${name}\0${contentHash(join(path, name))}\0`);
	else hash.update(readFileSync(path));
	return hash.digest('hex');
}

/** The point that was measured before; undefined for none, and for a file that is not whole. */
export function storedPoint(folder: string, hash: string): Stored | undefined {
	try {
		const point = JSON.parse(readFileSync(join(folder, `${hash}.json`), 'utf8')) as Stored;
		return point.hash === hash ? point : undefined;
	} catch {
		return undefined;
	}
}

/** Measures a point, unless it was, and remembers it. The model lies in a folder that is gone afterwards. */
export async function measurePoint(task: CurveTask, params: Point, folder: string): Promise<Stored> {
	const hash = await hashOf(task, params);
	const known = storedPoint(folder, hash);
	if (known !== undefined) return known;
	const work = mkdtempSync(join(tmpdir(), 'prunec-point-'));
	try {
		const out = join(work, 'model.onnx');
		const document = await compile({ ...task, params, out, bench: true });
		const quality = document.ok ? await qualityOf(task, params, out) : [];
		const point: Stored = { schema: 'prunec/point@1', hash, params, ...pointOf(document), quality };
		store(folder, point);
		return point;
	} finally {
		rmSync(work, { recursive: true, force: true });
	}
}

/** Under another name first, so that whoever reads meanwhile finds a whole file or none. */
function store(folder: string, point: Stored): void {
	mkdirSync(folder, { recursive: true });
	const path = join(folder, `${point.hash}.json`);
	const draft = `${path}.${process.pid}`;
	writeFileSync(draft, `${JSON.stringify(point, null, '\t')}\n`);
	renameSync(draft, path);
}

function pointOf({
	ok,
	model,
	output,
	latency,
	drift,
	diagnostics,
}: BuildDocument): Omit<CurvePoint, 'params' | 'quality'> {
	const share = (kind: 'params' | 'macs' | 'bytes'): number | undefined =>
		model !== undefined && output?.[kind] !== undefined ? output[kind] / Math.max(1, model[kind]) : undefined;
	const costs = { params: share('params'), macs: share('macs'), size: share('bytes') };
	const problems = diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message);
	return {
		ok,
		...(ok && {
			left: {
				...Object.fromEntries(Object.entries(costs).filter(([, value]) => value !== undefined)),
				...(latency && { latency: latency.ratio }),
			},
		}),
		...(ok &&
			drift && {
				drift: {
					cosine: drift.cosine,
					...(drift.kl !== undefined && { kl: drift.kl }),
					...(drift.top1Agreement !== undefined && { top1Agreement: drift.top1Agreement }),
				},
			}),
		...(problems.length > 0 && { problems }),
	};
}

/** By the data and metric of the recipe's `evaluate`, original and result. */
async function qualityOf(task: CurveTask, params: Point, out: string): Promise<CurvePoint['quality']> {
	const { recipe } = checkedRecipe({ ...task, params });
	if (recipe?.evaluate === undefined) return [];
	const models = [loadModel(task.model), loadModel(out)];
	try {
		const candidates = models.map(({ model }, at) => ({ name: at === 0 ? 'original' : 'result', model }));
		const { metrics } = await evaluateModels(candidates, {
			...saidBy(recipe.evaluate),
			modelPath: task.model,
			...(task.shapes && { shapes: task.shapes }),
			...(task.threads !== undefined && { threads: task.threads }),
		});
		return metrics.map(({ metric, better, models: [before, after] }) => ({
			...{ metric, better, original: before?.value ?? NaN, value: after?.value ?? NaN },
			interval: after?.interval ?? [NaN, NaN],
		}));
	} finally {
		for (const { file } of models) file.close();
	}
}
