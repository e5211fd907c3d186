/**
 * Fused attention as the operators that it stands for, so that what reads or changes its probabilities has them in sight. Exact.
 * What the operators compute: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md and
 * https://onnx.ai/onnx/operators/onnx__Attention.html.
 */
import { Fault, present } from '../../diagnostic.ts';
import { nodeLabel, type Node } from '../../ir/graph/graph.ts';
import { opsetLacks } from '../../messages/tokens.ts';
import { nothingToDo } from '../../messages/exact.ts';
import { asBefore, listRefusals, spoiled } from '../exact/exact.ts';
import { Drawing } from '../draw.ts';
import { drawAttention, formOf, fusedIn } from './plain-attention.ts';
import { sitesInScope } from '../sites.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

/** Ids of the fused nodes that become plain operators. */
export type Unfused = { readonly nodes: readonly number[] };

/** `Range`, which the masks need, came with opset 11. */
const leastOpset = 11;

export const unfuseAttention = defineTechnique<Unfused>({
	words: {
		name: 'unfuse-attention',
		isSlower: true,
		verb: 'unfuse',
		target: 'attention',
		aliases: [],
		summary:
			'A fused attention becomes the operators that it stands for: exact, and slower until something is gained by it.',
		example: 'unfuse attention in layers 6..',
		amounts: [],
		bare: true,
		clauses: ['in', 'except'],
		metrics: [],
	},
	plan: (request) => Promise.resolve(plan(request)),
	lower,
});

function plan(request: PlanRequest): Planned<Unfused> {
	const { step, net, model, numbering } = request;
	const inScope = sitesInScope(request);
	const sites = fusedIn(net).filter(({ node }) => inScope(node));
	const has = model.opsets.get('') ?? 1;
	if (sites.length > 0 && has < leastOpset)
		throw new Fault(
			opsetLacks({ what: 'an attention in plain operators', needs: leastOpset, has }, { span: step.span }),
		);
	const forms = sites.map((site) => ({ site, form: formOf(site) }));
	const nodes = forms.flatMap(({ site, form }) => (typeof form === 'string' ? [] : [site.node.id]));
	const refusals = forms.flatMap(({ site, form }) =>
		typeof form === 'string' ? [{ label: nodeLabel(site.node), why: form }] : [],
	);
	const unit = 'fused attentions';
	const nothing = nodes.length === 0 ? [nothingToDo({ unit, of: sites.length }, { span: step.span })] : [];
	return {
		plan: {
			...saidOf(step),
			requested: 'what is exact',
			selected: nodes.length,
			of: sites.length,
			unit: `${unit} (plain operators take longer)`,
			removed: [],
			refused: [...nothing, ...listRefusals(refusals, unit, request)],
			exact: true,
			decision: { nodes },
		},
		tensors: new Map(),
		numbering,
	};
}

function lower({ net, decision, label }: LowerTask<Unfused>): Lowered {
	const draw = new Drawing(net);
	const last = decision.nodes.map((id): Node => {
		const site = net.nodes.find(({ node }) => node.id === id);
		return drawAttention(draw, present(site, 'a fused attention of the plan'));
	});
	const edits = [...draw.edits, ...last.map((node) => ({ kind: 'node', node }) as const)];
	const claim = asBefore(net.model, spoiled(net.model, edits, label));
	return { patch: { label, edits }, claims: [claim] };
}
