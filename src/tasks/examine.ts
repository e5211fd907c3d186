/** Looking without changing: the anatomy of a model, and how far two models are apart. */
import { loadModel, type Loaded } from '../backends/onnx/load.ts';
import { measureDrift } from '../backends/ort/drift.ts';
import { readInputs } from '../data/calibration.ts';
import { findAnatomy, type Anatomy } from '../ir/anatomy/anatomy.ts';
import { type Survey } from '../ir/anatomy/groups.ts';
import { type Block } from '../ir/anatomy/parts.ts';
import { buildNet } from '../ir/axes/net.ts';
import { costOf, type Cost } from '../ir/cost.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { opened } from '../ir/graph/open.ts';
import { type Drift } from '../ir/proof.ts';
import { survey } from '../passes/survey.ts';

export type Examined = Survey & {
	readonly anatomy: Anatomy;
	readonly cost: Cost;
	readonly layers: readonly {
		readonly index: number;
		readonly name: string;
		readonly blocks: readonly BlockReport[];
	}[];
};
export type BlockReport = {
	readonly kind: Block['kind'];
	readonly units: number;
	readonly width: number;
	readonly removable: boolean;
	readonly fused?: string;
	readonly gated: boolean;
	readonly reasons: readonly string[];
};

export function inspectModel(loaded: Loaded, shapes: Shapes = new Map()): Examined {
	const model = opened(loaded.model);
	const facts = inferFacts(model, shapes);
	const anatomy = findAnatomy(buildNet(model, facts));
	const layers = anatomy.layers.map(({ index, name, blocks }) => ({
		index,
		name,
		blocks: blocks.map(({ kind, units, width, family, fused, gated, reasons }) => ({
			kind,
			units,
			width,
			removable: family !== undefined,
			...(fused !== undefined && { fused }),
			gated,
			reasons,
		})),
	}));
	return {
		anatomy,
		cost: costOf(model, facts),
		layers,
		...survey(anatomy),
	};
}

/** Drift between two model files that take the same inputs. Throws `Fault`. */
export async function driftBetween(
	original: string,
	pruned: string,
	{
		shapes = new Map(),
		seed = 0,
		samples = 8,
		threads = 2,
		data,
	}: {
		readonly shapes?: Shapes;
		readonly seed?: number;
		readonly samples?: number;
		readonly threads?: number;
		readonly data?: string;
	},
): Promise<Drift> {
	const [before, after] = [loadModel(original), loadModel(pruned)];
	try {
		const inputs = await readInputs(before.model, {
			shapes,
			seed,
			samples,
			modelPath: before.file.path,
			...(data !== undefined && { data: { path: data } }),
		});
		return await measureDrift(
			{ original: before.model, pruned: after.model, kept: new Map() },
			inputs.heldOut,
			threads,
		);
	} finally {
		before.file.close();
		after.file.close();
	}
}
