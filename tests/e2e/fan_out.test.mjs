/* SPDX-License-Identifier: Apache-2.0
 * One record in, nine systems served: what each platform then holds is compared with expectations
 * written by hand from the record and the platform's contract (tests/lab/README.md).
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { EIGHT, NINE, NUMBERS, dispute, openStack, until } from './stack_helper.mjs';

/* Four-byte GB18030 (𬭎 𠮷 㛃), markup and CSV characters, a formula, several lines, a UTC time that is
 * the next day here. */
const TITLE = '𬭎村村民与䶮公司“土地”<征收> & 补偿纠纷';
const SUMMARY = '第一段:测试甲称,"补偿款"未付。\n第二段:a<b && c>d; \'引号\' \\反斜杠\\ ]]> 100%\n第三段:𠮷𬭎㛃与喆。';
const ADDRESS = '示例镇𠮷祥路1号,2幢';
const RECORD = dispute({
  title: TITLE, summary: SUMMARY, occurred_at: '2026-03-31T20:30:15Z', amount_cents: '1234567890123', people_count: 31,
  category: { scheme: 'zz16', code4: '1101' }, extra: {}, scale: '02', level: '03', method: '3',
  place: { area12: '330106001002', grid_code: '330106001002003', address: ADDRESS, lon: 120.000001, lat: 30.5, coord_sys: 'cgcs2000' },
  parties: [
    { role: 'applicant', kind: 'person', name: '欧阳𬭎', id_type: '111', id_no: '330106189003070015', sex: '1', birth: '1890-03-07',
      ethnic: '01', person_type: '15', phone: '13000000001', address: '示例镇示例村3组', domicile: '示例镇', occupation: '务工' },
    { role: 'respondent', kind: 'org', name: '䶮示例建筑有限公司', org_code: '91000000MA00000157', org_legal: '测试乙',
      phone: '13000000002', address: '示例镇示例路1号' },
  ],
  result: { outcome: 'pending', text: '=1+1,双方\n继续协商' },
}, NINE);

const WANT = {
  'zj-odr': (id) => ({
    outCaseNo: id, outVersion: '1', title: TITLE, disputeType: '征地拆迁', content: SUMMARY, occurDate: '2026-04-01',
    occurArea: '330106001002', occurAddress: ADDRESS, amount: '12345678901.23', peopleCount: '31',
    applicantType: '自然人', applicantName: '欧阳𬭎', applicantIdType: '居民身份证', applicantIdNo: '330106189003070015',
    applicantSex: '男', applicantPhone: '13000000001', applicantAddress: '示例镇示例村3组',
    respondentType: '法人', respondentName: '䶮示例建筑有限公司', respondentIdType: '统一社会信用代码',
    respondentIdNo: '91000000MA00000157', respondentPhone: '13000000002', respondentAddress: '示例镇示例路1号',
    orgName: '示例镇人民调解委员会', mediatorName: '测试调解员甲', mediatorPhone: '13000000003', resultText: '=1+1,双方\n继续协商',
  }),
  'people-mediation': (id) => ({
    outerNo: id, outerVersion: '1', caseTitle: TITLE, caseSituation: SUMMARY, caseType: '8', caseTypeDesc: '国有土地上房屋征收',
    'caseCounty.id': '5101', 'caseTown.id': '61001', 'peopleMediationCommittee.id': '7001', 'mediator.id': '8001',
    accuserName: '欧阳𬭎', accuserIdcard: '330106189003070015', accuserSex: '1', accuserBirthday: '1890-03-07', accuserEthnic: '01',
    accuserOccupation: '务工', accuserDomicile: '示例镇', accuserAddress: '示例镇示例村3组', accuserPhone: '13000000001',
    defendantName: '䶮示例建筑有限公司', defendantAddress: '示例镇示例路1号', defendantPhone: '13000000002',
  }),
  'grid-platform': () => ({
    eventName: TITLE, eventDate: '20260401', eventPlace: `330106001002${ADDRESS}`, evenScaleTypeValue: '02', eventTypeValue: '02',
    numberofJoinning: '31', eventIntroduction: SUMMARY, relatedOrg: '示例建筑有限公司',
    majorPersonCertTypeCode: '111', majorPersonCertID: '330106189003070015', majorPersonName: '欧阳𬭎', majorPersonSex: '1',
    majorPersonEthnicity: '01', majorPersonType: '农村进城务工人员', majorPersonDetailAddress: '示例镇示例村3组',
    solvingDeadline: '20260502', solvingMethodType: '人民调解', solvingManagment: '示例镇人民调解委员会',
    solvingByPersonName: '测试调解员甲', solvingByPersonContact: '13000000003', solvingIntroduction: '=1+1,双方\n继续协商',
    longitude: '120.000001', latitude: '30.5',
  }),
  'hotline-12345': (id) => ({
    CaseSourceID: 57, CaseTypeID: 6, WantPerson: '欧阳𬭎', WantPersonTel: '13000000001', Title: TITLE,
    WantContent: `于2026-04-01 04:30:15,在${ADDRESS}发生:${SUMMARY}`, WantDate: '2026-04-01 04:30:15', Village: '330106',
    Address: ADDRESS, State: 0, SourceNumber: id, SourceVersion: 1, ReplyContent: '=1+1,双方\n继续协商',
  }),
  'data-commons': (id) => ({
    sourceId: id, revision: 1, operation: 'I', recordType: 'dispute', title: TITLE, areaCode: '330106001002', categoryCode: '1101',
    occurredAt: '2026-04-01 04:30:15', summary: SUMMARY, address: ADDRESS, amount: '12345678901.23', peopleCount: 31,
    orgName: '示例镇人民调解委员会', orgCode: '52000000MA00000158',
    persons: [
      { role: 'applicant', kind: 'person', name: '欧阳𬭎', idTypeCode: '111', idNo: '330106189003070015', sex: '1', phone: '13000000001' },
      { role: 'respondent', kind: 'org', name: '䶮示例建筑有限公司', phone: '13000000002' },
    ],
    outcome: 'pending', resultText: '=1+1,双方\n继续协商',
  }),
  'gov-service': (id, had) => ({
    id: had.id, cd_time: had.cd_time,    /* ours, of no meaning; their form is checked apart */
    accept_date: '2026-04-02 10:00:00', address: '示例镇示例村3组', apply_date: '2026-04-02 09:12:30', apply_type: '2',
    applyer_name: '欧阳𬭎', applyer_page_code: '330106189003070015', applyer_page_type: '111', applyer_type: '1',
    catalog_code: '000112002000', cd_batch: id, cd_operation: 'I', contact_mobile: '13000000001', contact_name: '欧阳𬭎',
    data_source: '1', handle_user_name: '测试调解员甲', org_code: '91000000MA00000157', org_name: '示例镇人民政府', project_name: TITLE,
    project_no: id, project_type: '1', promise_date: '2026-05-02 23:59:59', row_guid: `${id}-1`,
    task_code: '330106100000MA0000000000000000000001', task_name: '矛盾纠纷调解申请', task_version: '1',
  }),
  'village-admin': (id) => ({
    外部编号: id, 版本号: '1', 操作: '新增', 标题: TITLE, 纠纷类别: '1101', 发生时间: '2026-04-01 04:30', 区划代码: '330106001002',
    发生地点: ADDRESS, 事件简述: SUMMARY, 申请人姓名: '欧阳𬭎', 申请人证件类型: '居民身份证', 申请人证件号码: '330106189003070015',
    申请人性别: '男', 申请人电话: '13000000001', 被申请人姓名: '䶮示例建筑有限公司', 被申请人证件类型: '统一社会信用代码',
    被申请人证件号码: '91000000MA00000157', 被申请人电话: '13000000002', 涉及人数: '31', 涉及金额: '12345678901.23',
    化解组织: '示例镇人民调解委员会', 调解员: '测试调解员甲', 化解方式: '人民调解', 化解结果: '未办结', 化解情况: '=1+1,双方\n继续协商',
  }),
  'patrol-app': (id, had) => ({
    registerTimeStr: had.registerTimeStr, gridCode: '330106001002003', orgCode: '330106001002', eventName: TITLE,
    happenTimeStr: '2026-04-01 04:30:15', occurred: ADDRESS, content: SUMMARY, oppoSideBusiCode: id, bizPlatform: '016',
    eventType: '01', handleDate: '2026-05-02 23:59:59', source: '群众上报', longitude: '120.000001', latitude: '30.5', urgency: '03', creatorName: '测试调解员甲',
    contactUserName: '欧阳𬭎', contactTel: '13000000001', sourceVersion: '1',
  }),
};

/* The name under which each platform keeps the title and the short account. */
const TITLES = { 'zj-odr': 'title', 'people-mediation': 'caseTitle', 'grid-platform': 'eventName', 'hotline-12345': 'Title',
  'data-commons': 'title', 'gov-service': 'project_name', 'village-admin': '标题', 'patrol-app': 'eventName' };
const CALLED = { 'zj-odr': '征地拆迁', 'people-mediation': '8 征地拆迁纠纷', 'grid-platform': '02 国有土地拆迁',
  'data-commons': '1101 国有土地上房屋征收', 'village-admin': '1101 国有土地上房屋征收' };
const CATEGORY = { 'zj-odr': '纠纷类型', 'people-mediation': '纠纷类型', 'grid-platform': '事件类别', 'data-commons': '纠纷类别', 'village-admin': '纠纷类别' };
const TIME = /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$/;

describe('a dispute for nine systems', () => {
  let s, record;
  before(async () => { s = await openStack(); });
  after(() => s.close());

  const everywhere = (revision) => (d) => EIGHT.every((id) => d[id].state === 'delivered' && d[id].revision === revision);

  test('eight are delivered with the number of the platform, one is a copy card', async () => {
    record = await s.file(RECORD, 20);
    assert.deepEqual(Object.keys(record.deliveries).sort(), [...NINE].sort());
    for (const id of EIGHT) {
      const d = record.deliveries[id];
      assert.equal(d.state, 'delivered', `${id}: ${JSON.stringify(d)}`);
      assert.match(d.number, NUMBERS[id]);
      assert.equal(d.revision, 1);
      assert.equal(d.attempts, 1, id);
      assert.equal(d.problem, null);
    }
    assert.equal(record.deliveries['leader-board'].state, 'handoff');
    assert.equal(record.deliveries['leader-board'].number, null);
  });

  test('each delivery is in the chain of evidence, over every protocol, with digests of both sides', async () => {
    const of = async () => (await s.tool('audit', 'export', '--record', record.id)).stdout.split('\n').filter(Boolean).map(JSON.parse)
      .filter((l) => l.what === 'deliver');
    await until('eight of them', 10, async () => (await of()).filter((l) => l.outcome === 'ok').length === EIGHT.length);
    const lines = await of();
    for (const id of EIGHT) {
      const [sent, ...more] = lines.filter((l) => l.system === id), last = more.at(-1) ?? sent;
      assert.deepEqual([last.outcome, last.revision, last.number], ['ok', 1, record.deliveries[id].number], id);
      assert.deepEqual([sent.op, sent.outcome, more.length], ['create', last === sent ? 'ok' : 'taken', last === sent ? 0 : 1], id);
      assert.match(sent.sent_sha256, /^[0-9a-f]{64}$/, id);
      assert.match(last.answer_sha256, /^[0-9a-f]{64}$/, id);
    }
    assert.equal((await s.tool('audit', 'verify')).code, 0);
  });

  for (const id of EIGHT) {
    test(`${id} holds the record once, in its own fields and codes`, async () => {
      const kept = await s.kept(id);
      assert.equal(kept.length, 1);
      const [one] = kept;
      assert.equal(one.number, record.deliveries[id].number);
      assert.equal(one.ref, record.id);
      assert.equal(one.revision, 1);
      assert.equal(one.received, 1);
      assert.equal(one.status, 'open');
      assert.deepEqual(one.fields, WANT[id](record.id, one.fields));
      if (CALLED[id]) assert.equal(one.content[CATEGORY[id]], CALLED[id]);
      if (id === 'gov-service') {
        assert.match(one.fields.id, /^\d{1,19}$/);
        assert.match(one.fields.cd_time, TIME);
      }
      if (id === 'patrol-app') assert.match(one.fields.registerTimeStr, TIME);
    });
  }

  test('the same record again gives nobody a second one', async () => {
    const again = await s.api('staff', '/records', { method: 'POST', body: RECORD, headers: { 'Idempotency-Key': 'fan-out-1', Prefer: 'wait=15' } });
    assert.equal(again.status, 201);
    const replay = await s.api('staff', '/records', { method: 'POST', body: RECORD, headers: { 'Idempotency-Key': 'fan-out-1' } });
    assert.equal(replay.status, 201);
    assert.equal(replay.headers.get('idempotent-replayed'), 'true');
    assert.equal(replay.json.id, again.json.id);
    assert.notEqual(again.json.id, record.id, 'another key is another record');
    for (const id of EIGHT) assert.equal((await s.kept(id, again.json.id)).length, 1, id);
  });

  test('PATCH: every system has revision 2, after revision 1, still one record', async () => {
    const patched = await s.patch(record.id, 1, { data: { title: '更正后的标题𬭎', amount_cents: null, result: { outcome: 'success', text: null } } });
    assert.equal(patched.revision, 2);
    const now = await s.settled(record.id, 'revision 2 everywhere', everywhere(2));
    assert.equal(now.deliveries['leader-board'].state, 'handoff');
    for (const id of EIGHT) {
      assert.equal(now.deliveries[id].number, record.deliveries[id].number, id);
      const kept = await s.kept(id, record.id);
      assert.equal(kept.length, 1, id);
      assert.deepEqual(kept[0].history.map((h) => [h.revision, h.op]), [[1, 'create'], [2, 'update']], id);
      assert.equal(kept[0].fields[TITLES[id]], '更正后的标题𬭎', id);
    }
    const gone = { 'zj-odr': 'amount', 'data-commons': 'amount', 'village-admin': '涉及金额' };
    for (const [id, name] of Object.entries(gone)) assert.equal((await s.kept(id, record.id))[0].fields[name], undefined, id);
    assert.equal((await s.kept('zj-odr', record.id))[0].fields.result, '0');
    assert.equal((await s.kept('grid-platform', record.id))[0].fields.isSuccessInSolving, '1');
    assert.equal((await s.kept('village-admin', record.id))[0].fields['化解结果'], '成功');
  });

  test('a stale or missing If-Match changes nothing', async () => {
    const stale = await s.api('staff', `/records/${record.id}`, { method: 'PATCH', body: { data: { title: '旧' } }, headers: { 'If-Match': '"1"' } });
    assert.equal(stale.status, 412);
    const bare = await s.api('staff', `/records/${record.id}`, { method: 'PATCH', body: { data: { title: '旧' } } });
    assert.equal(bare.status, 428);
    const now = await s.record(record.id);
    assert.equal(now.revision, 2);
    assert.ok(everywhere(2)(now.deliveries));
  });

  test('history shows both revisions, who and when', async () => {
    const { status, json } = await s.api('staff', `/records/${record.id}/history`);
    assert.equal(status, 200);
    assert.deepEqual(json.revisions.map((i) => [i.revision, i.by, i.data.title]),
      [[1, 'demo-staff', TITLE], [2, 'demo-staff', '更正后的标题𬭎']]);
    assert.ok(json.revisions[0].at < json.revisions[1].at);
  });

  test('withdraw: every platform is told, none keeps it open', async () => {
    const r = await s.post('staff', `/records/${record.id}/withdraw`, { reason: '重复登记' });
    assert.equal(r.status, 200, r.text);
    const now = await s.settled(record.id, 'withdrawn everywhere', (d) => EIGHT.every((id) => d[id].state === 'withdrawn'));
    assert.ok(now.withdrawn_at);
    for (const id of EIGHT) {
      const kept = await s.kept(id, record.id);
      assert.equal(kept.length, 1, id);
      assert.equal(kept[0].status, 'withdrawn', id);
      assert.equal(kept[0].number, record.deliveries[id].number, id);
    }
    const late = await s.api('staff', `/records/${record.id}`, { method: 'PATCH', body: { data: { title: '晚' } }, headers: { 'If-Match': '"2"' } });
    assert.equal(late.status, 409);
  });

  test('three edits while a system is down cost it one delivery, in order', async () => {
    await s.behave('zj-odr', 'down');
    const made = await s.file(dispute({}, ['zj-odr', 'grid-platform']));
    await s.settled(made.id, 'the healthy one first', (d) => d['grid-platform'].state === 'delivered');
    for (let n = 1; n <= 3; n++) await s.patch(made.id, n, { data: { title: `第${n}次更正` } });
    await s.settled(made.id, 'the healthy one at revision 4', (d) => d['grid-platform'].revision === 4);
    assert.notEqual((await s.record(made.id)).deliveries['zj-odr'].state, 'delivered');
    await s.behave('zj-odr', 'normal');
    await s.settled(made.id, 'the other at revision 4', (d) => d['zj-odr'].state === 'delivered' && d['zj-odr'].revision === 4);
    const [there] = await s.kept('zj-odr', made.id);
    assert.deepEqual(there.history.map((h) => h.revision), [4]);
    const steps = (await s.kept('grid-platform', made.id))[0].history.map((h) => h.revision);
    assert.deepEqual(steps, [...steps].sort((a, b) => a - b), 'in order');
    assert.equal(steps.at(-1), 4);
  });
});
