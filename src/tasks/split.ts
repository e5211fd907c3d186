/** `split`: a model with exits as files, one a stage, and a manifest; proven to do together what the model does. */
import { Fault, present } from '../diagnostic.ts';
import { type Loaded } from '../backends/onnx/load.ts';
import { writeInto } from '../backends/onnx/save.ts';
import { distance, largest } from '../backends/ort/runs.ts';
import { openSession, type Feeds, type Session, type Value } from '../backends/ort/session.ts';
import { generate } from '../data/generate.ts';
import { bindShapes, samples, type Shapes } from '../ir/graph/bindings.ts';
import { type Model, type ValueName } from '../ir/graph/graph.ts';
import { numbersOf } from '../ir/graph/tensor.ts';
import { cannotSplit, stagesDiffer } from '../messages/exit.ts';
import { splitExits, withExitTaken, type SplitStage } from '../passes/exits/split-exits.ts';
import { Stage } from '../files/stage.ts';

export type SplitOptions = {
	readonly out: string;
	readonly force?: boolean;
	readonly shapes?: Shapes;
	readonly threads: number;
	readonly samples: number;
	readonly seed: number;
	/** A file may have at most this many bytes before its weights go beside it, `stage_0.onnx_data`; by default 2 GiB. */
	readonly limit?: number;
};

/** What a server needs to run the stages; written as `manifest.json` beside them. */
export type Manifest = {
	readonly schema: 'prunec/stages@1';
	readonly outputs: readonly string[];
	readonly stages: readonly (Omit<SplitStage, 'model'> & {
		readonly file: string;
		/** Where the condition's numbers stand in the file: initializers. */
		readonly thresholds: Readonly<Record<string, number>>;
	})[];
};

export type Split = { readonly manifest: Manifest; readonly samples: number; readonly error: number };

/** Writes a folder. Throws `Fault` for a model without exits, and where the stages do something else than it. */
export async function splitModel({ model, file }: Loaded, options: SplitOptions): Promise<Split> {
	const stages = splitExits(model, options.shapes);
	if (typeof stages === 'string') throw new Fault(cannotSplit({ path: file.path, why: stages }));
	const error = await proveStages(model, stages, options);
	const manifest: Manifest = {
		schema: 'prunec/stages@1',
		outputs: model.graph.outputs.map(({ name }) => name),
		stages: stages.map(({ model: own, ...stage }, at) => ({
			file: `stage_${at}.onnx`,
			...stage,
			thresholds: thresholdsOf(own),
		})),
	};
	const folder = new Stage(options.out, options);
	for (const [at, { model: own }] of stages.entries()) writeInto(folder, own, `stage_${at}.onnx`, options);
	const text = new TextEncoder().encode(`${JSON.stringify(manifest, undefined, '\t')}\n`);
	folder.write('manifest.json', [text], text.length);
	folder.commit();
	return { manifest, samples: options.samples, error };
}

function thresholdsOf({ graph }: Model): Record<string, number> {
	const named = [...graph.initializers].filter(([name]) => /^exit_after_\d+_when_/.test(name));
	return Object.fromEntries(named.map(([name, tensor]) => [name, numbersOf(tensor)[0] ?? NaN]));
}

type Ready = { readonly stage: SplitStage; readonly session: Session };

/**
 * Every stage's outputs are held against the model with that exit held open, on whole batches; and what rows say of leaving against
 * the exit that the model takes. Gives the largest difference over the largest magnitude.
 */
async function proveStages(
	model: Model,
	stages: readonly SplitStage[],
	{ samples: count, seed, threads, shapes = new Map() }: SplitOptions,
): Promise<number> {
	const ready: Ready[] = [];
	const held: Session[] = [];
	try {
		for (const [at, stage] of stages.entries()) {
			ready.push({ stage, session: await openSession(stage.model, { which: 'pruned', threads }) });
			const reference = withExitTaken(model, stage.exit === undefined ? undefined : at);
			held.push(await openSession(reference, { which: 'reference', threads }));
		}
		const whole = await openSession(model, { which: 'original', threads });
		held.push(whole);
		let worst = 0;
		for (let turn = 0; turn < count; turn++) {
			const sizes = bindShapes(model, present(samples[turn % 2], 'a sample'), shapes);
			const feeds = generate(model, sizes, seed * 1000 + turn);
			worst = Math.max(worst, await compared(ready, held, whole, feeds));
		}
		return worst;
	} finally {
		for (const session of [...ready.map((one) => one.session), ...held]) await session.release();
	}
}

async function compared(
	ready: readonly Ready[],
	held: readonly Session[],
	whole: Session,
	feeds: Feeds,
): Promise<number> {
	const pool = new Map<ValueName, Value>(feeds);
	const chosen = await whole.run(feeds);
	let worst = 0;
	let taken = false;
	for (const [at, { stage, session }] of ready.entries()) {
		const given = new Map(stage.inputs.map(({ name }) => [name, present(pool.get(name), name)]));
		const made = await session.run(given);
		for (const [name, value] of made) pool.set(name, value);
		const expected = await present(held[at], 'a reference').run(feeds);
		const leaves = stage.exit && present(made.get(stage.exit.leaves), 'which rows leave');
		const leavesNow: boolean = !taken && (leaves === undefined || Array.from(leaves.data).every(Boolean));
		for (const { name, of } of stage.outputs) {
			const value = present(made.get(name), name);
			worst = Math.max(worst, check(of, value, present(expected.get(of), of)));
			if (leavesNow) worst = Math.max(worst, check(of, value, present(chosen.get(of), of)));
		}
		taken ||= leavesNow;
	}
	return worst;
}

/** Stages run the same kernels on the same numbers, so rounding is all that may differ: 1e-5 of the output, as in every proof. */
function check(name: string, found: Value, expected: Value): number {
	const scale = largest(expected);
	const error = scale > 0 ? distance(expected, found) / scale : distance(expected, found);
	if (!(error <= 1e-5)) throw new Fault(stagesDiffer({ output: name, error }));
	return error;
}
