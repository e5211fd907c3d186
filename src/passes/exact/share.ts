/** Equal tensors once: parameter sharing that is there already (ALBERT, arXiv:1909.11942, is such a model when exported layer by layer). */
import { groupBy } from '../group-by.ts';
import { subgraphs, capturedNames, type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { constantTensor } from '../../ir/graph/constants.ts';
import { hashOf, sameBytes } from '../../ir/graph/hash.ts';
import { nothingToDo } from '../../messages/exact.ts';
import { matchesGlob } from '../../ir/glob.ts';
import { asBefore, spoiledWith } from './exact.ts';
import { Rewriting } from './rewriting.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

/** Names of equal tensors; the first one stays. */
type Sharing = { readonly groups: readonly (readonly ValueName[])[] };

export const share = defineTechnique<Sharing>({
	words: {
		name: 'share',
		verb: 'share',
		aliases: [],
		summary: 'Store equal tensors once. The file shrinks; the time to run stays.',
		example: 'share',
		amounts: [],
		bare: true,
		clauses: [],
		metrics: [],
	},
	plan: (request) => Promise.resolve(plan(request)),
	lower,
});

function plan({ step, net: { model }, numbering, protect }: PlanRequest): Planned<Sharing> {
	const tensors = storedTensors(model).filter(({ name }) => !protect.some((glob) => matchesGlob(glob, name)));
	const groups = equalGroups(tensors);
	const spare = groups.flatMap(([, ...rest]) => rest);
	const bytes = spare.reduce((sum, { bytes: data }) => sum + (data?.length ?? 0), 0);
	const found = { unit: 'tensors', of: tensors.length };
	return {
		plan: {
			...saidOf(step),
			requested: 'equal tensors',
			selected: spare.length,
			of: tensors.length,
			unit: `tensors (${bytes} bytes less to store, the same time to run)`,
			removed: [],
			refused: spare.length === 0 ? [nothingToDo(found, { span: step.span })] : [],
			exact: true,
			decision: { groups: groups.map((group) => group.map(({ name }) => name)) },
		},
		tensors: new Map(),
		numbering,
	};
}

/**
 * Constants that may be renamed: those that bodies read, model outputs, and initializers that a caller may feed (listed as
 * inputs from IR 4 on) keep their own.
 */
function storedTensors({ graph, irVersion }: Model): Tensor[] {
	const bound = new Set([
		...graph.outputs.map(({ name }) => name),
		...graph.nodes.flatMap(subgraphs).flatMap((inner) => [...capturedNames(inner)]),
		...(irVersion >= 4 ? graph.inputs.map(({ name }) => name) : []),
	]);
	const made = graph.nodes.flatMap((node) => (node.op === 'Constant' ? (constantTensor(node) ?? []) : []));
	return [...graph.initializers.values(), ...made].filter(
		(one) => !bound.has(one.name) && one.bytes !== undefined,
	);
}

function equalGroups(tensors: readonly Tensor[]): Tensor[][] {
	const alike = groupBy(
		tensors,
		({ type, dims, bytes }) => `${type}/${dims.join('x')}/${bytes?.length ?? 0}`,
	);
	return alike
		.filter((group) => group.length > 1)
		.flatMap((group) => groupBy(group, hashOf).flatMap(equalOnes))
		.filter((group) => group.length > 1);
}

/** Tensors of one hash, told apart by their bytes. */
function equalOnes(tensors: readonly Tensor[]): Tensor[][] {
	const groups: Tensor[][] = [];
	for (const tensor of tensors) {
		const home = groups.find(([first]) => first !== undefined && sameBytes(first, tensor));
		if (home === undefined) groups.push([tensor]);
		else home.push(tensor);
	}
	return groups;
}

/** Reference: the model before, to the bit. Controls: shared tensors with other numbers. */
function lower({ net, decision: { groups }, label }: LowerTask<Sharing>): Lowered {
	const r = new Rewriting(net);
	for (const [first = '', ...rest] of groups) for (const name of rest) r.reroute(name, first);
	const edits = r.edits();
	const kept = groups.flatMap(([first]) => r.constantOf(first) ?? []);
	const controls = spoiledWith(net.model, edits, kept, label);
	return {
		patch: { label, edits },
		claims: [asBefore(net.model, controls)],
	};
}
