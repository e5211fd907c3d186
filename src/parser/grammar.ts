/**
 * The grammar: openers, clauses and their parts. It knows no verb and no target, and it takes any statement to its
 * end: what stands where nothing can is kept as `rest` or `stray` for a message of its own.
 */
import { CstParser, type CstNode, type ParserMethod, type TokenType } from 'chevrotain';
import { bareMessages } from './complaints.ts';
import * as t from './tokens.ts';

type Rule = ParserMethod<[], CstNode>;
/** An error inside is met by the nearest item or statement, which goes on behind it. */
const inner = { resyncEnabled: false };

export class RecipeParser extends CstParser {
	readonly recipe: Rule;
	readonly line: Rule;
	readonly header: Rule;
	readonly param: Rule;
	readonly sizes: Rule;
	readonly protect: Rule;
	readonly calibrate: Rule;
	readonly expect: Rule;
	readonly transform: Rule;
	readonly targets: Rule;
	readonly junk: Rule;
	readonly item: Rule;
	readonly counted: Rule;
	readonly amount: Rule;
	readonly places: Rule;
	readonly place: Rule;
	readonly where: Rule;
	readonly named: Rule;
	readonly stray: Rule;
	readonly positions: Rule;
	readonly range: Rule;
	readonly extent: Rule;
	readonly bound: Rule;
	readonly number: Rule;
	readonly expression: Rule;
	readonly operand: Rule;

	/** With `validated`, chevrotain checks the grammar itself: a test does, a start does not have the time. */
	constructor({ validated = false }: { readonly validated?: boolean } = {}) {
		super([...t.tokens], {
			recoveryEnabled: true,
			maxLookahead: 1,
			skipValidations: !validated,
			errorMessageProvider: bareMessages,
		});
		this.number = this.RULE('number', () => this.#number(), inner);
		this.bound = this.RULE('bound', () => this.#bound(), inner);
		this.extent = this.RULE('extent', () => this.#extent(), inner);
		this.range = this.RULE('range', () => this.#range(), inner);
		this.positions = this.RULE('positions', () => this.#positions(), inner);
		this.operand = this.RULE('operand', () => this.#operand(), inner);
		this.expression = this.RULE('expression', () => this.#expression(), inner);
		this.place = this.RULE('place', () => this.#place(), inner);
		this.places = this.RULE('places', () => this.#places(), inner);
		this.where = this.RULE('where', () => this.#where(), inner);
		this.named = this.RULE('named', () => this.#named(), inner);
		this.counted = this.RULE('counted', () => this.#counted(), inner);
		this.amount = this.RULE('amount', () => this.SUBRULE(this.positions), inner);
		this.stray = this.RULE('stray', () => this.#stray(), inner);
		this.item = this.RULE('item', () => this.#item());
		this.targets = this.RULE('targets', () => this.#targets());
		this.transform = this.RULE('transform', () => this.#transform());
		this.header = this.RULE('header', () => this.#header());
		this.param = this.RULE('param', () => this.#param());
		this.sizes = this.RULE('sizes', () => this.#sizes());
		this.protect = this.RULE('protect', () => this.#protect());
		this.calibrate = this.RULE('calibrate', () => this.#calibrate());
		this.expect = this.RULE('expect', () => this.#expect());
		this.junk = this.RULE('junk', () => this.CONSUME(t.Anything));
		this.line = this.RULE('line', () => this.#line());
		this.recipe = this.RULE('recipe', () => this.#recipe());
		this.performSelfAnalysis();
	}

	/** Better no token than one the author did not write. */
	protected override canTokenTypeBeInsertedInRecovery(_type: TokenType): boolean {
		return false;
	}

	#recipe(): void {
		this.OPTION(() => this.SUBRULE(this.line));
		this.MANY(() => {
			this.CONSUME(t.End);
			this.OPTION1(() => this.SUBRULE1(this.line));
		});
	}

	/** The order decides: what begins no other line is junk. */
	#line(): void {
		this.OR({
			IGNORE_AMBIGUITIES: true,
			DEF: [
				{ ALT: () => this.SUBRULE(this.header) },
				{ ALT: () => this.SUBRULE(this.param) },
				{ ALT: () => this.SUBRULE(this.sizes) },
				{ ALT: () => this.SUBRULE(this.protect) },
				{ ALT: () => this.SUBRULE(this.calibrate) },
				{ ALT: () => this.SUBRULE(this.expect) },
				{ ALT: () => this.SUBRULE(this.transform) },
				{ ALT: () => this.SUBRULE(this.junk) },
			],
		});
		this.MANY(() => this.CONSUME(t.Anything, { LABEL: 'rest' }));
	}

	#header(): void {
		this.CONSUME(t.opener.recipe);
		this.CONSUME(t.RecipeName);
		this.OPTION(() => this.CONSUME(t.Version));
		this.OPTION1(() => this.CONSUME(t.Text));
	}

	#param(): void {
		this.CONSUME(t.opener.param);
		this.CONSUME(t.Word);
		this.CONSUME(t.Equal);
		this.SUBRULE(this.bound, { LABEL: 'value' });
		this.OPTION(() => {
			this.CONSUME(t.clause.from);
			this.SUBRULE1(this.bound, { LABEL: 'from' });
			this.CONSUME(t.clause.to);
			this.SUBRULE2(this.bound, { LABEL: 'to' });
		});
	}

	#sizes(): void {
		this.CONSUME(t.opener.input);
		this.OR([{ ALT: () => this.CONSUME(t.Word) }, { ALT: () => this.CONSUME(t.Text) }]);
		this.OR1([{ ALT: () => this.CONSUME(t.Sizes) }, { ALT: () => this.CONSUME(t.NumberToken) }]);
	}

	#protect(): void {
		this.CONSUME(t.opener.protect);
		this.CONSUME(t.Text);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.CONSUME1(t.Text);
		});
	}

	#calibrate(): void {
		this.CONSUME(t.opener.calibrate);
		this.CONSUME(t.clause.with);
		this.CONSUME(t.Text);
		this.MANY(() => {
			this.OR([{ ALT: () => this.CONSUME(t.clause.take) }, { ALT: () => this.CONSUME(t.Word) }]);
			this.SUBRULE(this.number);
		});
	}

	#expect(): void {
		this.CONSUME(t.opener.expect);
		this.AT_LEAST_ONE(() => this.CONSUME(t.Word));
		this.OPTION(() => {
			this.OR([{ ALT: () => this.CONSUME(t.Comparison) }, { ALT: () => this.CONSUME(t.Equal) }]);
			this.SUBRULE(this.bound);
		});
	}

	#transform(): void {
		this.CONSUME(t.Name);
		this.OPTION(() => this.SUBRULE(this.targets));
		this.MANY(() => this.SUBRULE(this.item));
	}

	#targets(): void {
		this.CONSUME(t.Word);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.CONSUME1(t.Word);
		});
	}

	/** The order decides: what begins no other item is a stray. */
	#item(): void {
		this.OR({
			IGNORE_AMBIGUITIES: true,
			DEF: [
				{ ALT: () => this.SUBRULE(this.counted) },
				{ ALT: () => this.SUBRULE(this.places) },
				{ ALT: () => this.SUBRULE(this.where) },
				{ ALT: () => this.SUBRULE(this.named) },
				{ ALT: () => this.CONSUME(t.clause.globally) },
				{ ALT: () => this.SUBRULE(this.amount) },
				{ ALT: () => this.SUBRULE(this.stray) },
			],
		});
	}

	#counted(): void {
		this.OR(
			[t.clause.keep, t.clause.lowest, t.clause.rank, t.clause.energy, t.clause.align, t.clause.min].map(
				(word) => ({
					ALT: () => this.CONSUME(word, { LABEL: 'word' }),
				}),
			),
		);
		this.SUBRULE(this.number);
	}

	#named(): void {
		this.OR([{ ALT: () => this.CONSUME(t.clause.by) }, { ALT: () => this.CONSUME(t.clause.only) }]);
		this.CONSUME(t.Word);
	}

	#places(): void {
		this.OR([{ ALT: () => this.CONSUME(t.clause.in) }, { ALT: () => this.CONSUME(t.clause.except) }]);
		this.SUBRULE(this.place);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.SUBRULE1(this.place);
		});
	}

	#place(): void {
		this.OR([
			{ ALT: () => this.CONSUME(t.Text) },
			{
				ALT: () => {
					this.AT_LEAST_ONE(() => this.CONSUME(t.Word));
					this.OPTION(() => this.SUBRULE(this.positions));
				},
			},
		]);
	}

	#where(): void {
		this.CONSUME(t.clause.where);
		this.SUBRULE(this.expression);
	}

	#stray(): void {
		this.CONSUME(t.Anything);
		this.MANY(() => this.CONSUME(t.Loose));
	}

	#positions(): void {
		this.OR([
			{ ALT: () => this.SUBRULE(this.range) },
			{
				ALT: () => {
					this.CONSUME(t.ListOpen);
					this.OPTION(() => {
						this.SUBRULE1(this.range);
						this.MANY(() => {
							this.CONSUME(t.Comma);
							this.SUBRULE2(this.range);
						});
					});
					this.CONSUME(t.ListClose);
				},
			},
		]);
	}

	#range(): void {
		this.OR([
			{
				ALT: () => {
					this.SUBRULE(this.bound, { LABEL: 'from' });
					this.OPTION(() => this.SUBRULE(this.extent));
				},
			},
			{ ALT: () => this.SUBRULE1(this.extent) },
		]);
	}

	#extent(): void {
		this.OR([
			{
				ALT: () => {
					this.CONSUME(t.Dots);
					this.OPTION(() => this.SUBRULE(this.bound, { LABEL: 'to' }));
				},
			},
			{
				ALT: () => {
					this.CONSUME(t.DotsEqual);
					this.SUBRULE1(this.bound, { LABEL: 'to' });
				},
			},
		]);
		this.OPTION1(() => {
			this.CONSUME(t.clause.step);
			this.SUBRULE(this.number);
		});
	}

	#bound(): void {
		this.OPTION(() => this.CONSUME(t.Minus));
		this.SUBRULE(this.number);
	}

	#number(): void {
		this.OR([{ ALT: () => this.CONSUME(t.NumberToken) }, { ALT: () => this.CONSUME(t.Parameter) }]);
	}

	#expression(): void {
		this.SUBRULE(this.operand);
		this.MANY(() => {
			this.CONSUME(t.Infix);
			this.SUBRULE1(this.operand);
		});
	}

	#operand(): void {
		this.MANY(() => {
			this.OR([
				{ ALT: () => this.CONSUME(t.operatorWord.not, { LABEL: 'prefix' }) },
				{ ALT: () => this.CONSUME(t.Minus, { LABEL: 'prefix' }) },
			]);
		});
		this.OR1([
			{
				ALT: () => {
					this.CONSUME(t.GroupOpen);
					this.SUBRULE(this.expression);
					this.CONSUME(t.GroupClose);
				},
			},
			{ ALT: () => this.CONSUME(t.Word) },
			{ ALT: () => this.CONSUME(t.Text) },
			{ ALT: () => this.SUBRULE(this.number) },
		]);
	}
}
