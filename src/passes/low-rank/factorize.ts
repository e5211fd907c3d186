/** Low-rank factors: one product with a matrix becomes two with thinner ones (Eckart–Young; methods in the reference). */
import { groupBy } from '../group-by.ts';
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { type Block } from '../../ir/anatomy/parts.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { operandOf, type NetNode } from '../../ir/axes/net.ts';
import { noAnatomy } from '../../messages/plan.ts';
import { factorAuto, type Outcome } from './factor-auto.ts';
import { lowerFactors, type Factors } from './factor-graph.ts';
import { sitesOf, type Placed, type Site } from './factor-sites.ts';
import { factorTogether, type Together } from './factor-together.ts';
import { Stopwatch } from './pace.ts';
import { layersInScope } from '../scope.ts';
import { sitesInScope } from '../sites.ts';
import {
	defineTechnique,
	type Planned,
	type PlanRequest,
	type Technique,
	saidOf,
	withAmount,
} from '../technique.ts';

/** Whose matrices: those of blocks of a kind, or those that the model's outputs come out of. */
type Whose = Block['kind'] | 'head';
const owners: Readonly<Record<Whose, string>> = {
	...{ ffn: 'feed-forward blocks', attention: 'attentions', head: 'the heads that outputs come out of' },
};

/** Of the parameters of each matrix that stay, for goals: from what changes least. */
const ratios = Array.from({ length: 18 }, (_, at) => Number((0.95 - 0.05 * at).toFixed(2)));

function factorize(target: string, kind: Whose, aliases: readonly string[], example: string): Technique {
	return defineTechnique<Factors>({
		words: {
			name: `factorize-${target}`,
			verb: 'factorize',
			target,
			aliases,
			summary: `Replace the matrices of ${owners[kind]} by two of lower rank: by singular values, with data by the variance of what they put out.`,
			example,
			amounts: ['rank', 'energy', 'ratio', 'auto'],
			bare: false,
			clauses: ['in', 'except', 'align', 'until', 'while'],
			choices: {
				with: [
					{
						word: 'joint',
						summary: 'one first factor for matrices that read one input, as queries, keys and values do',
					},
					{ word: 'single', summary: 'two factors for each matrix (default; `auto` takes what is faster)' },
				],
			},
			metrics: [],
		},
		dial: ({ step }) => ratios.map((share) => withAmount(step, { kind: 'ratio', share })),
		plan: (request) => plan(request, kind),
		lower: lowerFactors,
	});
}

export const factorizeFfn = factorize('ffn', 'ffn', ['neurons', 'intermediate'], 'factorize ffn rank 64');
export const factorizeAttention = factorize(
	'attention',
	'attention',
	['heads'],
	'factorize attention energy 95%',
);

export const factorizeHead = factorize('head', 'head', ['classifier', 'logits'], 'factorize head rank 64');

async function plan(request: PlanRequest, kind: Whose): Promise<Planned<Factors>> {
	const { step, numbering } = request;
	const placed = placedIn(request, kind);
	if (placed.length === 0)
		throw new Fault(noAnatomy({ target: step.target ?? step.verb }, { span: step.span }));
	const { sites, refused } = await sitesOf(request, placed);
	const made: Together[] = [];
	const stays: Diagnostic[] = [...refused];
	const stopwatch = new Stopwatch(request);
	for (const group of groupsOf(sites, request)) {
		const { found, refused: without } = await bestOf(group, request, stopwatch);
		made.push(...found);
		stays.push(...without);
	}
	const matrices = made.flatMap((one) => one.matrices);
	const joint = made.filter((one) => one.matrices.length > 1).length;
	const nodes = new Set(matrices.map(({ node }) => node));
	const layers = sites.filter(({ linear }) => nodes.has(linear.node.node.id)).map(({ layer }) => layer);
	return {
		plan: {
			...saidOf(step),
			selected: matrices.length,
			of: placed.length,
			unit: joint === 0 ? 'matrices' : `matrices (${joint} first factors are read by several of them)`,
			...(step.amount?.kind === 'auto' && { metric: stopwatch.metric }),
			removed: [...new Set(layers)].map((layer) => ({ layer, units: [] })),
			refused: stays,
			certificates: made.flatMap(({ certificates }) => certificates),
			decision: { matrices },
		},
		tensors: new Map(made.flatMap(({ tensors }) => tensors.map((one) => [one.name, one] as const))),
		numbering,
	};
}

/** Matrices that may get one first factor: they read one value alike. Each by itself unless the statement allows it. */
function groupsOf(sites: readonly Site[], { step }: PlanRequest): Site[][] {
	const isJoint = step.with === 'joint' || (step.with === undefined && step.amount?.kind === 'auto');
	if (!isJoint) return sites.map((site) => [site]);
	return groupBy(sites, readingOf);
}

function readingOf({ linear: { node, input: from }, type }: Site): string {
	const input = operandOf(node, 'in', from)?.name ?? '';
	return [node.node.op, input, intAttribute(node.view, 'transA', 0), type].join(' ');
}

/** Together as the statement says; `auto` takes the way that is faster. */
async function bestOf(group: readonly Site[], request: PlanRequest, stopwatch: Stopwatch): Promise<Outcome> {
	if (request.step.amount?.kind === 'auto') return factorAuto(group, request, stopwatch);
	const together = await factorTogether(group, request);
	return 'code' in together ? { found: [], refused: [together] } : { found: [together], refused: [] };
}

function placedIn(request: PlanRequest, kind: Whose): Placed[] {
	if (kind === 'head') return headsIn(request);
	return layersInScope(request).flatMap(({ layer, given }) =>
		layer.blocks
			.filter((block) => block.kind === kind)
			.flatMap((block) => block.linears.map((linear): Placed => ({ linear, layer: given }))),
	);
}

/** Products outside of all layers between which and a model output stand at most biases and operators that work on each number or row. */
function headsIn(request: PlanRequest): Placed[] {
	const { anatomy, numbering } = request;
	const inScope = sitesInScope(request);
	const inLayers = new Set(
		anatomy.layers.flatMap(({ blocks }) => blocks.flatMap(({ linears }) => linears.map(({ node }) => node))),
	);
	const last = Math.max(0, numbering.layerCount - 1);
	return anatomy.linears
		.filter(({ node }) => !inLayers.has(node) && inScope(node.node) && isLast(node))
		.map((linear) => ({ linear, layer: last }));
}

const behindHeads: ReadonlySet<string> = new Set([
	...['Add', 'Identity', 'Cast', 'Reshape', 'Squeeze', 'Softmax', 'LogSoftmax', 'Sigmoid', 'Tanh'],
]);

function isLast({ outputs: [output] }: NetNode): boolean {
	if (output === undefined) return false;
	if (output.io.includes('output')) return true;
	const { consumers } = output;
	return consumers.length > 0 && consumers.every((node) => behindHeads.has(node.node.op) && isLast(node));
}
