/** How important a layer is, measured. */
import { Fault } from '../../diagnostic.ts';
import { highestId, type Model, type ValueName } from '../../ir/graph/graph.ts';
import { sortNodes } from '../../ir/graph/order.ts';
import { freshNames } from '../../ir/graph/patch.ts';
import { drawAt } from '../../ir/graph/random.ts';
import { type Residual } from '../../ir/anatomy/parts.ts';
import { type Fed, type Lab } from '../../ir/lab.ts';
import { needsData } from '../../messages/plan.ts';
import { blended } from './blend-layers.ts';
import { blendedType, floatsOf, scaleOf } from './byte-values.ts';
import { countedOutputs, withInputs } from '../scores/knobs.ts';
import { type Placed } from '../scope.ts';
import { type PlanRequest } from '../technique.ts';

/** A layer that can go: its number in the model as given, and its steps along the residual path. */
export type Candidate = Placed & { readonly steps: readonly Residual[] };

/** Throws `Fault` where nothing may be run. */
export async function layerScores(
	request: PlanRequest,
	candidates: readonly Candidate[],
	metric: string,
): Promise<number[]> {
	const { step, model, lab, seed } = request;
	if (candidates.length === 0) return [];
	if (metric === 'random') return candidates.map(({ given }) => drawAt(seed, given));
	if (lab === undefined) throw new Fault(needsData({ metric }, { span: step.spans.by ?? step.span }));
	if (metric === 'ablation') return ablations(request, candidates, lab);
	const ends = candidates.map(({ steps }) => [steps[0]?.before ?? '', steps.at(-1)?.after ?? ''] as const);
	const { readable, pairs } = asFloats(model, ends);
	const likeness = await lab.similarity(readable, pairs);
	return likeness.map(({ cosine, angle }) => (metric === 'angular' ? angle : 1 - cosine));
}

type Pair = readonly [ValueName, ValueName];

/** The values, and where they are bytes a model that makes floats of them; nothing reads those, so that a patch would drop them. */
function asFloats(model: Model, ends: readonly Pair[]): { readable: Model; pairs: readonly Pair[] } {
	const { graph } = model;
	const fresh = freshNames(graph);
	const first = highestId(graph) + 1;
	const views = new Map(
		ends.flat().map((name) => [name, floatsOf(graph, name, scaleOf(graph, name), fresh)] as const),
	);
	const made = [...views.values()]
		.flatMap(({ edits }) => edits.flatMap((edit) => (edit.kind === 'insert' ? edit.node : [])))
		.map((node, at) => ({ ...node, id: first + at }));
	if (made.length === 0) return { readable: model, pairs: ends };
	const named = (value: ValueName): ValueName => views.get(value)?.name ?? value;
	return {
		readable: { ...model, graph: { ...graph, nodes: sortNodes([...graph.nodes, ...made]) } },
		pairs: ends.map(([before, after]) => [named(before), named(after)]),
	};
}

/** Change of the outputs when a layer alone is bypassed: every layer has an input that scales what it adds. */
async function ablations(
	{ net }: PlanRequest,
	candidates: readonly Candidate[],
	lab: Lab,
): Promise<number[]> {
	const fresh = freshNames(net.model.graph);
	const knobs = candidates.map(({ given, steps }) => ({
		name: fresh(`layer_${given}_knob`),
		type: blendedType(net, steps[0]?.before ?? ''),
		dims: [],
	}));
	const blends = candidates.flatMap(({ steps }, at) =>
		steps.map(({ before, after }) => ({
			...{ from: after, to: before, scale: knobs[at]?.name ?? '', constants: [] },
		})),
	);
	const fed = (value: number) =>
		knobs.map(({ name, type }): readonly [string, Fed] => [name, { type, dims: [], data: [value] }]);
	const changes = await lab.changes(blended(withInputs(net.model, knobs), blends.toReversed()), {
		outputs: countedOutputs(net),
		neutral: new Map(fed(1)),
		settings: fed(0).map((one) => new Map([one])),
	});
	return [...changes];
}
